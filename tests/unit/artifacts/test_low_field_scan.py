"""The low-field simulator: what tissues and noise become, and where the slices lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isocenter.artifacts import SNR_PRIORS, low_field_scan
from isocenter.artifacts._low_field_scan import noisy, slice_axis
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.ops.thick_slices import Acquisition
from isocenter.ops.tissue import TissueMaps

SHAPE = (48, 48, 96)
SNR = (60.0, 50.0)


def two_blocks() -> tuple[Volume, TissueMaps]:
    """White matter below, grey matter above, air around both."""
    wm, gm = torch.zeros(SHAPE), torch.zeros(SHAPE)
    wm[8:40, 8:40, 16:48] = 1
    gm[8:40, 8:40, 48:80] = 1
    data = 900 * wm + 500 * gm
    affine = np.diag([0.7, 0.7, 0.7, 1.0])
    affine[:3, 3] = [3, -4, 5]
    zero = torch.zeros(SHAPE)
    return Volume(data, affine, "T1w"), TissueMaps(zero, gm, wm, torch.ones(SHAPE))


@pytest.mark.parametrize("order", ["physical", "published"])
@pytest.mark.parametrize("reference", ["wm", "gm"])
def test_pure_tissue_has_the_signal_over_noise_that_was_asked_for(
    order: str, reference: str
) -> None:
    scan, tissue = two_blocks()
    made = low_field_scan(
        scan,
        tissue,
        Acquisition(4, phase=0.0),
        snr=SNR,
        reference=reference,  # type: ignore[arg-type]
        order=order,  # type: ignore[arg-type]
        rng=generator(1),
    )
    wm = float(made.clean[16:32, 16:32, 6:10].mean())
    gm = float(made.clean[16:32, 16:32, 15:18].mean())
    assert wm / made.sigma == pytest.approx(SNR[0], rel=0.01)
    assert gm / made.sigma == pytest.approx(SNR[1], rel=0.01)
    assert {"wm": wm / 900, "gm": gm / 500}[reference] == pytest.approx(1, rel=0.01)
    air = made.scan.data[:, :, :2]
    assert float(air.std()) == pytest.approx(made.sigma, rel=0.02)


def test_the_slices_lie_where_the_affine_says() -> None:
    scan, tissue = two_blocks()
    acquisition = Acquisition(4, profile="rect", thickness=4.0)
    made = low_field_scan(scan, tissue, acquisition, snr=SNR, reference="wm", rng=generator(1)).scan
    assert made.spacing == pytest.approx((0.7, 0.7, 2.8))
    # The middle of the first thick slice is the middle of the first four fine ones.
    middle = scan.affine @ np.array([0, 0, 1.5, 1])
    assert np.allclose(made.affine @ np.array([0, 0, 0, 1]), middle)


def test_slices_are_found_across_the_largest_side() -> None:
    affine = np.diag([1.0, 3.0, 1.0, 1.0])
    assert slice_axis(Volume(torch.ones(4, 4, 4), affine)) == 1
    assert slice_axis(Volume(torch.ones(4, 4, 4), np.eye(4))) == 2


def test_a_tissue_that_is_nowhere_pure_still_has_a_mean() -> None:
    scan, tissue = two_blocks()
    thin = tissue._replace(gm=tissue.gm * 0.5, csf=tissue.gm * 0.5)
    made = low_field_scan(scan, thin, Acquisition(8), snr=SNR, reference="gm", rng=generator(1))
    assert bool(made.scan.data.isfinite().all())
    assert made.sigma == pytest.approx(500 / SNR[1], rel=0.1)


def test_shading_is_the_coils_and_leaves_the_noise_alone() -> None:
    scan, tissue = two_blocks()
    even, shaded = (
        low_field_scan(
            scan, tissue, Acquisition(4), snr=SNR, reference="wm", shading=level, rng=generator(1)
        )
        for level in (0, 3)
    )
    inside = even.clean > 0.5 * even.clean.max()
    field = (shaded.clean / even.clean)[inside]
    assert float(field.mean()) == pytest.approx(1, abs=0.02)
    assert 0.4 < float(field.max() - field.min()) < 0.9
    assert shaded.sigma == even.sigma
    residual = shaded.scan.data - shaded.clean
    assert float(residual.std()) == pytest.approx(even.sigma, rel=0.02)


def test_a_persons_scan_does_not_depend_on_who_came_before() -> None:
    scan, tissue = two_blocks()
    people = ["one", "two", "three"]

    def simulated(order: list[str]) -> dict[str, torch.Tensor]:
        made = {}
        for person in order:
            rng = child(generator(7), person)
            pair = SNR_PRIORS["siqt-t1-0.36T"].draw(rng)
            given = Acquisition(8)
            made[person] = low_field_scan(scan, tissue, given, snr=pair, reference="wm", rng=rng)
        return {person: one.scan.data for person, one in made.items()}

    there, back = simulated(people), simulated(people[::-1])
    assert all(torch.equal(there[person], back[person]) for person in people)
    assert not torch.equal(there["one"], there["two"])


def test_noise_depends_on_its_stream_alone_and_is_as_strong_as_asked() -> None:
    clean = torch.zeros(40, 40, 20)
    first = noisy(clean, 3.0, kind="gaussian", rng=generator(2))
    assert torch.equal(first, noisy(clean, 3.0, kind="gaussian", rng=generator(2)))
    assert float(first.std()) == pytest.approx(3, rel=0.02)
    rician = noisy(clean, 3.0, kind="rician", rng=generator(2))
    assert float(rician.mean()) == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.02)
    smooth = noisy(clean, 3.0, kind="gaussian", correlation=1.5, axis=2, rng=generator(2))
    assert float(smooth.std()) == pytest.approx(3, rel=0.02)
    beside = torch.corrcoef(torch.stack([smooth[1:].flatten(), smooth[:-1].flatten()]))[0, 1]
    across = torch.corrcoef(torch.stack([smooth[..., 1:].flatten(), smooth[..., :-1].flatten()]))
    assert float(beside) > 0.7
    assert abs(float(across[0, 1])) < 0.05


def test_a_draw_of_a_published_prior_makes_a_scan() -> None:
    scan, tissue = two_blocks()
    prior = SNR_PRIORS["siqt-t1-0.36T"]
    made = low_field_scan(
        scan,
        tissue,
        Acquisition(8),
        snr=prior.draw(generator(1)),
        reference=prior.reference,
        noise="rician",
        rng=generator(2),
    )
    assert made.scan.shape == (48, 48, 12)
    assert float(made.scan.data.min()) >= 0
