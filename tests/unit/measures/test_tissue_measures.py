"""Measures of tissues on a head whose tissues are known."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import scipy.stats
import torch

from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.measures import Anatomy, Definition, find_anatomy
from isocenter.measures._statistics import summary as statistics
from isocenter.measures.cjv import cjv
from isocenter.measures.cnr import cnr
from isocenter.measures.icvs import icvs
from isocenter.measures.inu import inu
from isocenter.measures.rpve import rpve
from isocenter.measures.snr import snr
from isocenter.measures.snrd import snrd
from isocenter.measures.summary import summary
from isocenter.measures.tpm_overlap import tpm_overlap
from isocenter.measures.wm2max import wm2max
from isocenter.ops.tissue import TissueMaps
from tests.unit.measures._heads import (
    AIR_SIGMA,
    BRAIN,
    HEAD,
    MEANS,
    RAYLEIGH,
    SIGMAS,
    anatomy,
    image,
    tissues,
    volume,
)

each_definition = pytest.mark.parametrize("definition", get_args(Definition))


@pytest.fixture(scope="module")
def head() -> Anatomy:
    return anatomy()


def values(scores: tuple) -> dict[str, float | None]:  # type: ignore[type-arg]
    return {score.name: score.value for score in scores}


@each_definition
def test_cjv_of_normal_tissues(head: Anatomy, definition: Definition) -> None:
    (score,) = cjv(head, definition=definition)
    assert score.value == pytest.approx((30 + 40) / 300, rel=0.05)


@each_definition
def test_cnr_of_normal_tissues(head: Anatomy, definition: Definition) -> None:
    (score,) = cnr(head, definition=definition)
    noise = math.hypot(AIR_SIGMA * RAYLEIGH, 30, 40)
    assert score.value == pytest.approx(300 / noise, rel=0.05)


@each_definition
def test_snr_of_normal_tissues(head: Anatomy, definition: Definition) -> None:
    found = values(snr(head, definition=definition))
    for name, mean in MEANS.items():
        assert found[f"snr_{name}"] == pytest.approx(mean / SIGMAS[name], rel=0.06)
    each = [found[f"snr_{name}"] for name in MEANS]
    assert found["snr_total"] == pytest.approx(np.mean(each))  # type: ignore[arg-type]


@each_definition
def test_snrd_is_brightness_over_the_sigma_of_the_coil(
    head: Anatomy, definition: Definition
) -> None:
    found = values(snrd(head, definition=definition))
    # The MAD of Rayleigh noise is 1.4 % above its standard deviation; whole numbers add more.
    for name, mean in MEANS.items():
        assert found[f"snrd_{name}"] == pytest.approx(mean / AIR_SIGMA, rel=0.05)


@each_definition
def test_summaries_are_those_of_numpy_and_scipy(head: Anatomy, definition: Definition) -> None:
    found = values(summary(head, definition=definition))
    inside = tissues().wm > 0
    whole = image()[inside].double().numpy()
    assert found["summary_wm_mean"] == pytest.approx(whole.mean(), rel=2e-3)
    assert found["summary_wm_stdv"] == pytest.approx(whole.std(), rel=0.03)
    assert found["summary_wm_k"] == pytest.approx(scipy.stats.kurtosis(whole), abs=0.15)
    assert found["summary_wm_p05"] == pytest.approx(np.percentile(whole, 5), rel=5e-3)
    assert found["summary_wm_mad"] == pytest.approx(
        scipy.stats.median_abs_deviation(whole, scale="normal"), rel=0.05
    )


def test_only_the_weighted_definition_counts_the_surface(head: Anatomy) -> None:
    n = {name: statistics(head, "wm", name).n for name in get_args(Definition)}
    assert n["mriqc-24"] == float(tissues().wm.sum())
    assert n["mriqc-0.15"] < n["mriqc-24"]
    assert n["corrected"] == n["mriqc-0.15"]


def test_coarse_scans_are_not_eroded() -> None:
    coarse = anatomy(spacing=2.0)
    assert statistics(coarse, "wm", "mriqc-0.15").n == float(tissues().wm.sum())


def test_weighted_statistics_are_those_of_repeated_voxels() -> None:
    """A probability of one half is half a voxel."""
    maps = tissues()
    odd = torch.arange(64) % 2 == 1
    share = torch.where(odd, 0.5, 1.0).expand(64, 64, 64)
    halved = anatomy(tissue=maps._replace(wm=maps.wm * share))
    found = statistics(halved, "wm", "mriqc-24")
    assert halved.harmonized is not None
    rounded = halved.harmonized.round()
    repeated = torch.cat([rounded[(maps.wm > 0)], rounded[(maps.wm > 0) & (share == 1)]]).double()
    assert found.n == pytest.approx(len(repeated) / 2)
    assert found.mean == pytest.approx(float(repeated.mean()))
    assert found.stdv == pytest.approx(float(repeated.std(correction=0)))
    assert found.median == pytest.approx(float(repeated.median()))
    assert found.p95 == pytest.approx(float(repeated.quantile(0.95)), abs=1)


def test_a_shading_is_divided_out() -> None:
    ramp = torch.linspace(0.7, 1.3, 64)[:, None, None].expand(64, 64, 64).contiguous()
    shaded = anatomy(image() * ramp, tissue=tissues()._replace(field=ramp))
    (score,) = cjv(shaded, definition="corrected")
    (plain,) = cjv(anatomy(), definition="corrected")
    assert score.value == pytest.approx(plain.value, rel=1e-4)
    found = values(inu(shaded, definition="corrected"))
    low, high = np.percentile(ramp[BRAIN].numpy(), (5, 95))
    assert found["inu_range"] == pytest.approx(high - low, rel=1e-5)
    assert found["inu_med"] == pytest.approx(1.0, abs=0.01)


def test_maps_without_a_shading_have_no_inu(head: Anatomy) -> None:
    for score in inu(head, definition="corrected"):
        assert score.value is None
        assert score.why_missing == "the tissue maps came without a shading"


def test_icvs_are_parts_of_the_brain(head: Anatomy) -> None:
    found = values(icvs(head, definition="corrected"))
    volumes = {name: float(getattr(tissues(), name).sum()) for name in MEANS}
    for name, size in volumes.items():
        assert found[f"icvs_{name}"] == pytest.approx(size / sum(volumes.values()))


def test_corrected_rpve_is_the_part_in_shared_voxels(head: Anatomy) -> None:
    assert set(values(rpve(head, definition="corrected")).values()) == {0.0}
    maps = tissues()
    shared = anatomy(tissue=maps._replace(gm=maps.gm * 0.5, csf=maps.csf + 0.5 * maps.gm))
    found = values(rpve(shared, definition="corrected"))
    n_csf, n_gm = float(maps.csf.sum()), float(maps.gm.sum())
    assert found["rpve_gm"] == 1.0
    assert found["rpve_csf"] == pytest.approx(0.5 * n_gm / (n_csf + 0.5 * n_gm))


def test_rpve_of_mriqc_counts_the_background(head: Anatomy) -> None:
    """Hard maps lose no voxel to the cut, so all voxels but none count one each."""
    found = values(rpve(head, definition="mriqc-24"))
    n_wm = float(tissues().wm.sum())
    assert found["rpve_wm"] == pytest.approx(64**3 / n_wm)


def test_rpve_of_mriqc_in_a_slow_form() -> None:
    rng = np.random.default_rng(0)
    wm = np.where(BRAIN.numpy(), rng.random((64, 64, 64)), 0).astype(np.float32)
    rest = torch.from_numpy(np.where(BRAIN.numpy(), 1 - wm, 0).astype(np.float32))
    maps = TissueMaps(rest, tissues().gm * 0, torch.from_numpy(wm), torch.ones(64, 64, 64))
    found = values(rpve(anatomy(tissue=maps), definition="mriqc-0.15"))
    share = wm.astype(np.float64)
    positive = share[share > 0]
    low, high = np.percentile(positive, 2), np.percentile(positive, 98)
    share[(share < low) | (share > high)] = 0
    total = sum(p if p > 0.5 else 1 - p for p in share.ravel())
    assert found["rpve_wm"] == pytest.approx(total / positive.size)
    assert found["rpve_gm"] is None


def test_wm2max_is_white_matter_over_the_brightest() -> None:
    data = image()
    bright = torch.zeros(64, 64, 64, dtype=torch.bool)
    bright[28:36, 28:36, 12:16] = True  # 256 of 262144 voxels: above the 99.95th percentile
    (score,) = wm2max(anatomy(torch.where(bright, 2000.0, data)), definition="corrected")
    assert score.value == pytest.approx(0.5, rel=5e-3)


def test_padding_changes_only_the_wm2max_of_mriqc() -> None:
    def padded(part: torch.Tensor) -> torch.Tensor:
        filled = part.float()
        return torch.nn.functional.pad(filled, (20, 20, 20, 20, 20, 20)).to(part.dtype)

    maps = TissueMaps(*(padded(one) for one in tissues()[:3]), torch.ones(104, 104, 104))
    wide = anatomy(padded(image()), head=padded(anatomy().head), brain=padded(BRAIN), tissue=maps)
    for definition, same in (("corrected", True), ("mriqc-24", False)):
        (before,) = wm2max(anatomy(), definition=definition)
        (after,) = wm2max(wide, definition=definition)
        assert (after.value == pytest.approx(before.value, rel=1e-6)) is same


def test_overlap_is_one_with_itself_and_half_with_half(head: Anatomy) -> None:
    missing = tpm_overlap(head, definition="corrected")
    assert all(s.value is None and "template" in str(s.why_missing) for s in missing)
    maps = tissues()
    given = anatomy(template=(maps.csf, maps.gm * 0.5, torch.zeros_like(maps.wm)))
    found = values(tpm_overlap(given, definition="corrected"))
    assert found == {"tpm_overlap_csf": 1.0, "tpm_overlap_gm": 0.5, "tpm_overlap_wm": 0.0}


def test_a_template_elsewhere_is_brought_to_the_scan() -> None:
    maps, scan = tissues(), volume()
    moved = scan.affine.copy()
    moved[:3, 3] += (31.0, -12.0, 8.0)
    parts = tuple(Volume(part, moved, None) for part in maps[:3])
    template = (parts[0], parts[1], parts[2])
    found = find_anatomy(scan, head=HEAD, brain=BRAIN, tissue=maps, template=template)
    overlap = values(tpm_overlap(found, definition="corrected"))
    assert min(overlap.values()) > 0.9
    other = (parts[0], parts[1], Volume(maps.wm, scan.affine, None))
    with pytest.raises(UsageError, match="on different grids"):
        find_anatomy(scan, head=HEAD, brain=BRAIN, tissue=maps, template=other)
