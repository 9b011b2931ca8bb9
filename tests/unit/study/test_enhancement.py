"""What is said about an enhanced scan, and what is made of one from another program."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.scores import ScanFacts
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume
from isocenter.ops.thick_slices import Acquisition, thick_slices
from isocenter.restorers import Checked, Enhanced, cubic, enhance
from isocenter.restorers._enhanced import Region
from isocenter.study.enhancement import Prepared, as_enhanced, checks_of, told

RATIO = 4


def truth() -> Volume:
    """A head of 48 x 52 x 48 thin voxels."""
    return head_phantom((48, 52, 48), 2.0)


def thick(axis: int = 2) -> Volume:
    """The same in slices of four, each axis' direction its own."""
    from isocenter.artifacts._low_field_scan import coarse_affine

    whole, acquisition = truth(), Acquisition(RATIO)
    data = thick_slices(whole.shape, axis, acquisition)(whole.data)
    return Volume(data, coarse_affine(whole.affine, axis, acquisition), "T1w")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_thin_slices_of_any_program_are_taken_as_they_are(axis: int) -> None:
    made, notes = as_enhanced(truth(), thick(axis))
    assert notes == ()
    assert made.facts == {"ratio": RATIO, "axis": axis, "level": 0.9}
    assert torch.equal(made.image.data, truth().data)
    assert made.interpolated.shape == truth().shape
    assert made.lower is made.upper is made.deviation is None


def test_another_grid_is_interpolated_and_said() -> None:
    whole = truth()
    affine = whole.affine.copy()
    affine[:3, 3] += [0.6, -0.4, 0.8]
    made, notes = as_enhanced(replace(whole, affine=affine), thick())
    assert made.image.shape == whole.shape
    assert np.allclose(made.image.affine, whole.affine)
    assert "another grid" in notes[0]
    error = (made.image.data - whole.data)[8:-8, 8:-8, 8:-8].abs().mean()
    assert float(error) < 60  # shifted by a third of a voxel, white matter is 1000


def test_an_interval_is_that_of_a_normal_distribution() -> None:
    whole = truth()
    spread = replace(whole, data=torch.full_like(whole.data, 10.0))
    made, _ = as_enhanced(whole, thick(), deviation=spread)
    assert made.lower is not None and made.upper is not None  # noqa: PT018
    assert torch.allclose(whole.data - made.lower.data, torch.tensor(16.4485), atol=1e-2)
    assert torch.allclose(made.upper.data - whole.data, torch.tensor(16.4485), atol=1e-2)


def test_what_is_no_thinner_or_elsewhere_is_refused() -> None:
    with pytest.raises(BadVolume, match=r"8\.00 mm apart in the enhanced scan and 8\.00 mm"):
        as_enhanced(thick(), thick())
    affine = truth().affine.copy()
    affine[0, 3] += 500
    with pytest.raises(BadVolume, match="lies elsewhere"):
        as_enhanced(replace(truth(), affine=affine), thick())


def prepared() -> Prepared:
    facts = ScanFacts("a.nii", None, "NIfTI-1", (48, 52, 12), (2.0, 2.0, 8.0), "f4", "RAS", "T1w")
    return Prepared(thick(), replace(facts, warnings=("odd",)), None)


def flagged(made: Enhanced) -> Checked:
    """Checks with a region of each kind."""
    image = made.image
    centre = tuple(image.affine[:3] @ [20, 30, 17, 1])
    changed = Region(300, centre, 17, 1.9)  # type: ignore[arg-type]
    cluster = Region(15, centre, 4, -3.8)  # type: ignore[arg-type]
    z = replace(thick(), data=torch.zeros(thick().shape))
    share = replace(image, data=torch.rand(image.shape, generator=generator(1)))
    return Checked(
        z, share, 1.1, 12.0, (cluster,), 0.4, 0.1, None, None, None, (changed,),
        {"snr": "no brain was found", "prior_distance": "no brain was found"},
        {"thickness": 0.75, "noise_from": "the air"},
    )  # fmt: skip


def test_a_report_holds_three_planes_and_a_row_for_each_region() -> None:
    made = enhance(thick(), "cubic", rng=generator(0))
    made = replace(made, deviation=replace(made.image, data=made.image.data.abs() * 0.05 + 1))
    report = told(
        made, flagged(made), prepared(), method="cubic", options=cubic.Options(), seed=3,
        seconds=2.0,
    )  # fmt: skip
    titles = [row.title for row in report.rows]
    assert [title.split(",")[0] for title in titles[:3]] == ["sagittal", "coronal", "axial"]
    middles = [int(title.split("slice ")[1].split()[0]) for title in titles[:3]]
    assert np.abs(np.array(middles) - [24, 26, 24]).max() <= RATIO
    assert "(of the scan: " in titles[2]
    assert titles[3:] == [
        "axial, slice 17: changed more than the uncertainty allows",
        "axial, slice 4 of the scan: disagrees with it",
    ]
    for row in report.rows:
        assert len(row.pictures) == 6
        assert len({Image.open(io.BytesIO(one.png)).size for one in row.pictures if one.png}) == 1
    assert report.thickness == pytest.approx(6.0)
    assert report.plane == "axial"
    assert report.has_deviation
    assert report.notes == ("odd",)
    assert [flag.kind for flag in report.checks.flags] == ["changed", "inconsistent"]


def test_pictures_that_are_missing_say_why() -> None:
    made = enhance(thick(), "cubic", rng=generator(0))
    blank = replace(
        flagged(made), consistency=None, null_space=None, clusters=(), changed=(),
        missing={"consistency": "no noise"},
    )  # fmt: skip
    report = told(
        made, blank, prepared(), method="cubic", options=cubic.Options(), seed=3, seconds=2.0
    )
    assert [one.why_missing for one in report.rows[0].pictures[3:]] == [
        "cubic does not know how far off it may be",
        "no noise",
        "not measured",
    ]


def test_every_missing_number_has_its_reason() -> None:
    made = enhance(thick(), "cubic", rng=generator(0))
    checks = checks_of(flagged(made))
    assert checks.measure("mean_square").value == 1.1
    for one in checks.measures:
        assert (one.value is None) == (one.why_missing is not None)
    assert checks.measure("snr_gm").why_missing == "no brain was found"
