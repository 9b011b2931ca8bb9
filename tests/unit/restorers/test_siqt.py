"""``siqt``: brightness, members, tiles, intervals, weights, and what it refuses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint, BadVolume, ResourceError, UsageError
from isocenter.nets import aniso_unet, banded_unet, espcn, iso_unet, planar, slab_unet, sr_unet
from isocenter.ops.regions import head_scale
from isocenter.ops.thick_slices import splined
from isocenter.restorers import Enhanced, enhance
from isocenter.restorers import _thick_net as thick_net_module
from isocenter.restorers._agreement import agreeing
from isocenter.restorers._thick import thick
from isocenter.restorers._thick_net import load_thick_net
from isocenter.restorers.siqt import Options
from tests.made_thick_net import SMALL, made_slab_unet, saved


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_slab_unet(tmp_path_factory.mktemp("weights"))


def head(shape: tuple[int, int, int] = (40, 36, 11), mm: float = 4.0) -> Volume:
    scan = head_phantom(shape)
    affine = scan.affine.copy()
    affine[:3, 2] *= mm
    return Volume(scan.data, affine, "T1w", scan.history)


def run(weights: Path, scan: Volume | None = None, **given: Any) -> Enhanced:
    options = Options(weights=str(weights), device="cpu", **given)
    return enhance(head() if scan is None else scan, "siqt", options, rng=generator(1))


def no_short_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    import contextlib

    monkeypatch.setattr(thick_net_module, "short_numbers", lambda _: contextlib.nullcontext())


def test_it_is_the_network_in_the_brightness_of_the_head(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_short_numbers(monkeypatch)
    scan, made = head(), run(weights)
    scale = head_scale(scan.data)
    assert made.facts["scale"] == scale
    net = load_thick_net(weights, 4, "cpu").net
    with torch.inference_mode():
        said = net((scan.data / scale)[None, None], 4)[0]
    assert made.deviation is not None
    measured = made.image.data != 0
    assert torch.allclose(made.image.data, said[0] * scale * measured, atol=1e-3 * scale)
    assert torch.allclose(
        made.deviation.data, (said[1] / 2).exp() * scale * measured, rtol=1e-3, atol=1e-3
    )


def test_what_the_network_took_from_the_slices_is_given_back(weights: Path) -> None:
    alone, made = run(weights), run(weights, tolerance=1.0)
    given = thick(head())
    agreed = agreeing(alone.image.data.clone(), given, 1.0)
    inside = made.image.data != 0
    assert float((made.image.data - alone.image.data).abs().max()) > 1.0
    assert torch.allclose(made.image.data[inside], agreed[inside], atol=1e-2)
    assert torch.equal(made.deviation.data, alone.deviation.data)  # type: ignore[union-attr]


@pytest.mark.parametrize(("contrast", "within"), [("T1w", 2.0), ("FLAIR", 0.5), (None, 0.5)])
def test_the_card_says_how_far_a_contrast_is_trusted(
    tmp_path: Path, contrast: str | None, within: float
) -> None:
    told = made_slab_unet(tmp_path, calibration={"tolerance": {"T1w": 2.0, "other": 0.5}})
    scan = dataclasses.replace(head(), contrast=contrast)
    made, wanted = run(told, scan), run(told, scan, tolerance=within)
    assert made.facts["agreed_within"] == within
    assert torch.equal(made.image.data, wanted.image.data)


@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_below_nothing_is_refused(tolerance: float) -> None:
    with pytest.raises(UsageError, match="give deviations of the noise, 0 or more"):
        Options(tolerance=tolerance)


@pytest.mark.parametrize(("mm", "band"), [(4.0, "low"), (8.0, "high")])
def test_each_band_of_ratios_has_its_network(tmp_path: Path, mm: float, band: str) -> None:
    net = banded_unet.build(banded_unet.Config(**SMALL))  # type: ignore[arg-type]
    for number, part in enumerate(net.parts.values()):
        part.last.weight.data.normal_(0, 0.02, generator=generator(number))  # type: ignore[union-attr, operator]
    both = saved(tmp_path / "both.safetensors", "banded_unet", {**SMALL}, net)
    alone = saved(tmp_path / "alone.safetensors", "slab_unet", {**SMALL}, net.parts[band])
    scan = head((40, 36, 6), mm)
    assert torch.equal(run(both, scan).image.data, run(alone, scan).image.data)


def test_members_make_the_variance(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean of the members' variances plus the variance of their means."""
    no_short_numbers(monkeypatch)
    net = load_thick_net(weights, 4, "cpu")
    tile = head((16, 16, 5)).data / 1000
    with torch.inference_mode():
        each = [net.net(tile[None, None], 4, member)[0].double() for member in range(3)]
    means = torch.stack([one[0] for one in each])
    variances = torch.stack([one[1].exp() for one in each])
    for n in (1, 3):
        mean, variance = net(tile, n).double()
        total = variances[:n].mean(0) + means[:n].var(0, correction=0)
        assert torch.allclose(mean, means[:n].mean(0), atol=1e-5)
        assert torch.allclose(variance, total, rtol=1e-4)
    assert float(means.var(0).max()) > 0
    together, apart = net(tile, 4), [net.net(tile[None, None], 4, m)[0] for m in range(4)]
    assert torch.allclose(together[0], torch.stack([one[0] for one in apart]).mean(0), atol=1e-5)


def test_the_interval_is_as_wide_as_calibrated(tmp_path: Path) -> None:
    plain = run(made_slab_unet(tmp_path, calibration={}))
    folder = tmp_path / "calibrated"
    folder.mkdir()
    told = {"deviation_scale": {"4": 1.5, "8": 3.0}, "interval": {"0.9": 2.5}}
    made = run(made_slab_unet(folder, calibration=told))
    assert plain.deviation is not None
    assert made.deviation is not None
    assert made.lower is not None
    assert made.upper is not None
    assert torch.allclose(made.deviation.data, 1.5 * plain.deviation.data, rtol=1e-4)
    assert torch.allclose(
        made.upper.data - made.lower.data, 5 * made.deviation.data, rtol=1e-3, atol=1e-2
    )
    assert (plain.facts["interval_factor"], made.facts["interval_factor"]) == (1.6449, 2.5)


def test_tiles_change_nothing_that_matters(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_short_numbers(monkeypatch)
    scan = head((90, 75, 14))
    whole, pieces = run(weights, scan), run(weights, scan, max_memory=0.53)
    assert whole.facts["n_tiles"] == 1
    assert int(str(pieces.facts["n_tiles"])) > 1
    span = float(whole.image.data.max() - whole.image.data.min())
    assert float((whole.image.data - pieces.image.data).abs().max()) < 1e-4 * span


def test_out_of_memory_takes_smaller_tiles_and_says_so(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = head((90, 75, 14))
    plain = thick_net_module.ThickNet.__call__
    asked = []

    def greedy(self: Any, tile: torch.Tensor, members: int) -> torch.Tensor:
        asked.append(tile.numel())
        if tile.numel() > 60_000:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return plain(self, tile, members)

    monkeypatch.setattr(thick_net_module.ThickNet, "__call__", greedy)
    made = run(weights, scan)
    assert max(asked) > 60_000
    assert made.facts["notes"] == [
        "out of memory with tiles of 92 x 76 x 14 voxels: smaller ones were taken"
    ]


def test_out_of_memory_with_the_smallest_tiles_is_the_end(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(*_: Any) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(thick_net_module.ThickNet, "__call__", greedy)
    with pytest.raises(ResourceError, match="out of memory even with the smallest tiles"):
        run(weights)


def test_another_failure_of_the_network_is_not_taken_for_want_of_memory(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> torch.Tensor:
        raise RuntimeError("a matrix of another shape")

    monkeypatch.setattr(thick_net_module.ThickNet, "__call__", broken)
    with pytest.raises(RuntimeError, match="another shape"):
        run(weights)


def test_too_little_memory_is_refused(weights: Path) -> None:
    with pytest.raises(ResourceError, match=r"--max-memory is 0.1 GB, too little"):
        run(weights, max_memory=0.1)


def test_where_nothing_was_measured_nothing_is_made(weights: Path) -> None:
    scan = head()
    data = scan.data.clone()
    data[:, :, 7:] = 0
    made = run(weights, Volume(data, scan.affine, "T1w"))
    assert made.deviation is not None
    assert not bool(made.image.data[:, :, 32:].any())
    assert not bool(made.deviation.data[:, :, 32:].any())
    inside = data[:, :, 6].repeat_interleave(1, 0) != 0
    assert bool((made.deviation.data[:, :, 28:32][inside] > 0).all())


def test_too_many_members_are_refused(weights: Path) -> None:
    with pytest.raises(UsageError, match="members is 5: the network has 4"):
        run(weights, members=5)
    with pytest.raises(UsageError, match="members is 0"):
        run(weights, members=0)


NETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "aniso_unet": (aniso_unet, {"ratio": 4, "width": 4, "n_levels": 3}),
    "sr_unet": (sr_unet, {"ratio": 4, "width": 4, "n_levels": 3}),
    "espcn": (espcn, {"ratio": 4, "widths": (6, 8)}),
    "iso_unet": (iso_unet, {"width": 4, "n_levels": 3}),
    "planar": (planar, {"ratio": 4, "widths": (6, 8)}),
}


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_other_networks_are_run(name: str, n_outputs: int, tmp_path: Path) -> None:
    module, values = NETS[name]
    config = {**values, "n_outputs": n_outputs}
    net = module.build(module.Config(**config))
    file = saved(tmp_path / f"{name}.safetensors", name, config, net)
    made = run(file, head((37, 30, 9)))
    assert made.image.shape == (37, 30, 36)
    assert bool(made.image.data.isfinite().all())
    assert (made.deviation is None) == (n_outputs == 1)
    assert (made.lower is None) == (n_outputs == 1)
    assert made.facts["members"] == 1
    if name == "planar":  # it begins as an interpolation
        inside = made.image.data != 0
        gap = (made.image.data - made.interpolated.data)[inside]
        assert float(gap.abs().max()) < 1.0


@pytest.mark.parametrize("name", ["aniso_unet", "espcn", "iso_unet", "sr_unet"])
def test_what_a_network_corrects_is_added_to_cubic_splines(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_short_numbers(monkeypatch)
    module, values = NETS[name]
    net = module.build(module.Config(**values), seed=3)
    scan = head((32, 32, 16))
    file = saved(tmp_path / f"{name}.safetensors", name, values, net, says="correction")
    made = run(file, scan)
    scale = head_scale(scan.data)
    splines = splined((scan.data / scale)[None, None], 4)
    with torch.inference_mode():
        said = net.eval()(splines if name == "iso_unet" else (scan.data / scale)[None, None])
    wanted = scale * (splines + said)[0, 0]
    inside = made.image.data != 0
    assert torch.allclose(made.image.data[inside], wanted[inside], atol=1e-3 * scale)
    for weights in [m for m in net.modules() if hasattr(m, "stride")][-1].parameters():
        torch.nn.init.zeros_(weights)
    saved(file, name, values, net, says="correction")
    made = run(file, scan)
    inside = made.image.data != 0
    gap = (made.image.data - made.interpolated.data)[inside]
    assert float(gap.abs().max()) < 1.0


@pytest.mark.parametrize("name", ["aniso_unet", "espcn", "sr_unet"])
def test_a_network_of_another_ratio_is_refused(name: str, tmp_path: Path) -> None:
    module, values = NETS[name]
    file = saved(tmp_path / "w.safetensors", name, values, module.build(module.Config(**values)))
    with pytest.raises(UsageError, match=r"makes 4 thin slices .* asks for 6: give --ratio 4"):
        run(file, head(mm=6.0))


def test_a_ratio_that_was_not_learned_is_refused(tmp_path: Path) -> None:
    net = slab_unet.build(slab_unet.Config(**SMALL))  # type: ignore[arg-type]
    file = saved(tmp_path / "w.safetensors", "slab_unet", {**SMALL}, net, ratios=(4, 4))
    with pytest.raises(UsageError, match=r"has learned a ratio of 4, and the scan asks for 6"):
        run(file, head(mm=6.0))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    from importlib.resources import files

    prior = Path(str(files("isocenter") / "weights" / "prior.safetensors"))
    with pytest.raises(BadCheckpoint, match="'complex_unet', which makes no thin slices"):
        run(prior)
    with pytest.raises(BadCheckpoint, match="no weights at"):
        run(tmp_path / "none.safetensors")
    net = slab_unet.build(slab_unet.Config(**SMALL))  # type: ignore[arg-type]
    odd = saved(tmp_path / "odd.safetensors", "slab_unet", {"breadth": 3}, net)
    with pytest.raises(BadCheckpoint, match="configuration makes no network"):
        run(odd)
    saved(odd, "slab_unet", {**SMALL}, net, says="median")
    with pytest.raises(BadCheckpoint, match="says 'median' of thin slices"):
        run(odd)


def test_an_unknown_device_is_refused(weights: Path) -> None:
    options = Options(weights=str(weights), device="abacus")
    with pytest.raises(UsageError, match="cannot be used"):
        enhance(head(), "siqt", options, rng=generator(1))


@pytest.mark.parametrize(
    ("mm", "ratio"), [(1.6, 2), (2.4, 2), (2.6, 3), (4.4, 4), (5.5, 6), (7.7, 8), (12.0, 8)]
)
def test_the_ratio_is_that_of_the_voxels(mm: float, ratio: int) -> None:
    assert thick(head(mm=mm)).ratio == ratio


def test_slices_that_are_far_too_thick_are_refused() -> None:
    with pytest.raises(BadVolume, match=r"slices 20.0 times as thick .* at most 14"):
        thick(head(mm=20.0))


def test_a_single_slice_is_refused() -> None:
    with pytest.raises(BadVolume, match="a single slice"):
        thick(head((40, 36, 1)))


def test_options_are_plain_values() -> None:
    assert dataclasses.asdict(Options()) == {
        "ratio": 0,
        "axis": None,
        "members": 4,
        "max_memory": 2.0,
        "weights": "",
        "device": "auto",
        "tolerance": None,
    }
