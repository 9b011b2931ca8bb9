"""Signal over noise of scans whose tissues and noise are known, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.data.io import write
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume, UsageError
from isocenter.ops.tissue import TissueMaps
from isocenter.restorers._snr import AIR, WHITE_MATTER
from isocenter.study.low_field_prior import (
    LeftOut,
    Measured,
    Source,
    document,
    fitted,
    measured,
    measured_each,
)
from tests.unit.measures._heads import AIR_SIGMA, BRAIN, MEANS, image, noise, tissues, volume


def quiet_head() -> Volume:
    """Tissues under the noise of the air alone."""
    maps = tissues()
    made = image()
    for name, mean in MEANS.items():
        made = torch.where(getattr(maps, name) > 0, mean + AIR_SIGMA * noise(3), made)
    return volume(made)


def test_signal_over_noise_of_a_head_in_air() -> None:
    one = measured(quiet_head(), brain=BRAIN, tissue=tissues())
    assert one.noise_from == AIR
    assert one.sigma == pytest.approx(AIR_SIGMA, rel=0.02)
    assert (one.wm, one.gm) == pytest.approx((100, 70), rel=0.02)


def test_signal_over_noise_of_a_brain_without_air() -> None:
    head = quiet_head()
    one = measured(replace(head, data=head.data * BRAIN), brain=BRAIN, tissue=tissues())
    assert one.noise_from == WHITE_MATTER
    assert (one.wm, one.gm) == pytest.approx((100, 70), rel=0.05)


def test_maps_that_cannot_be_right_are_refused() -> None:
    csf, gm, wm, field = tissues()
    swapped = TissueMaps(wm + gm, csf * 0, csf, field)
    with pytest.raises(BadVolume, match="not to be built on"):
        measured(quiet_head(), brain=BRAIN, tissue=swapped)


def test_a_scan_without_noise_is_refused() -> None:
    maps = tissues()
    made = sum(MEANS[name] * getattr(maps, name) for name in MEANS)
    with pytest.raises(BadVolume, match="no noise could be measured"):
        measured(volume(made), brain=BRAIN, tissue=maps)


def test_each_scan_is_measured_or_left_out_with_its_reason(tmp_path: Path) -> None:
    write(quiet_head(), tmp_path / "a.nii.gz")
    for name in ("csf", "gm", "wm"):
        write(volume(getattr(tissues(), name)), tmp_path / f"{name}.nii.gz")
    write(volume(BRAIN[:32].float()), tmp_path / "half.nii.gz")
    maps = (tmp_path / "csf.nii.gz", tmp_path / "gm.nii.gz", tmp_path / "wm.nii.gz")
    scan = tmp_path / "a.nii.gz"
    good, half, gone = measured_each(
        [
            Source(scan, tissue=maps),
            Source(scan, brain=tmp_path / "half.nii.gz"),
            Source(tmp_path / "none.nii.gz"),
        ],
        contrast="T1w",
    )
    assert isinstance(good, Measured)
    assert good.sha256 is not None
    assert isinstance(half, LeftOut)
    assert "the brain mask (32, 64, 64) is not on the scan's grid (64, 64, 64)" in half.why
    assert isinstance(gone, LeftOut)


def test_the_prior_of_what_was_measured() -> None:
    pairs = np.random.default_rng(1).multivariate_normal([40, 50], [[9, 6], [6, 16]], 8)
    found = [Measured(f"{i}", None, a, b, 1.0, AIR) for i, (a, b) in enumerate(pairs)]
    prior = fitted(found, contrast="FLAIR")
    assert prior.mean == pytest.approx(tuple(pairs.mean(0)))
    assert prior.reference == "gm"
    assert "8 FLAIR scans; noise from the air" in prior.provenance
    assert fitted(found, reference="wm", contrast=None).reference == "wm"
    said = document(prior, found, [LeftOut("x", "no brain")])
    assert len(said["scans"]) == 8  # type: ignore[arg-type]
    assert said["left_out"] == [{"name": "x", "why": "no brain"}]
    with pytest.raises(UsageError, match="4 scans are too few"):
        fitted(found[:4], contrast=None)
