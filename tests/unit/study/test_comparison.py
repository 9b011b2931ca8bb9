"""A comparison computes what direct calls compute, once, whatever the number of workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from isocenter import registry
from isocenter.datasets.rad_iqmri import RatedImage, RatedSet, read_grey, read_ratings
from isocenter.errors import InputError, NothingFound, UnknownName, UsageError
from isocenter.metrics import by_slices
from isocenter.metrics.gmsd import gmsd
from isocenter.metrics.haarpsi import haarpsi
from isocenter.metrics.psnr import psnr
from isocenter.statistics.compared import Compared
from isocenter.study import _scoring, compare
from isocenter.study._methods import BASELINES, chosen, method
from isocenter.study._pictures import read_pair
from isocenter.study.baselines import image_mean, mean_absolute_error, noise_estimate
from tests.unit.study.rated import write_rated

METHODS = ("psnr", "gmsd", "image_mean")


def run(rated: RatedSet, **options: object) -> Compared:
    options = {"methods": METHODS, **options}
    return compare(rated, rng=np.random.default_rng(0), **options)  # type: ignore[arg-type]


@pytest.fixture
def rated(tmp_path: Path) -> RatedSet:
    return read_ratings(*write_rated(tmp_path / "set"))


def values(compared: Compared) -> dict[str, tuple[float, ...]]:
    return {one.column.name: one.column.values for one in compared.methods}


def test_values_are_those_of_direct_calls(rated: RatedSet) -> None:
    found = values(run(rated))
    for i, row in enumerate(rated.rows):
        image, reference = (read_grey(path)[None, None] for path in (row.image, row.reference))
        assert found["psnr"][i] == float(psnr(image, reference, data_range=255))
        assert found["gmsd"][i] == float(gmsd(image, reference, data_range=255))
        assert found["image_mean"][i] == float(image.mean())


@pytest.mark.parametrize(("policy", "scale"), [("reference", None), (1000, 1000), ("64", 64)])
def test_the_range_is_the_one_that_was_chosen(
    rated: RatedSet, policy: str | float, scale: float | None
) -> None:
    compared = run(rated, methods="psnr", data_range=policy)
    row = rated.rows[0]
    image, reference = (read_grey(path)[None, None] for path in (row.image, row.reference))
    expected = psnr(image, reference, data_range=scale or float(reference.max()))
    assert compared.methods[0].column.values[0] == float(expected)
    assert compared.data_range == ("the reference's largest value" if scale is None else str(scale))


def test_workers_and_seed(rated: RatedSet) -> None:
    one, two = run(rated), run(rated, workers=2)
    assert values(one) == values(two)
    assert [m.letters for m in one.methods] == [m.letters for m in two.methods]
    intervals = [m.interval_by_reference for m in one.methods]
    assert intervals == [m.interval_by_reference for m in two.methods]


def test_nothing_is_computed_twice(
    rated: RatedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "values.tsv"
    first = run(rated, values=table)
    before = table.read_bytes()
    called: list[str] = []
    monkeypatch.setattr(_scoring, "method", lambda name: called.append(name) or method(name))
    assert values(run(rated, values=table)) == values(first)
    assert called == []
    assert table.read_bytes() == before
    run(rated, values=table, methods=(*METHODS, "mse"))
    assert called == ["mse"] * len(rated.rows)


def test_what_was_made_from_something_else_is_computed_again(
    rated: RatedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "values.tsv"
    run(rated, values=table)
    called: list[str] = []
    monkeypatch.setattr(_scoring, "method", lambda name: called.append(name) or method(name))
    Image.fromarray(np.full((40, 40), 7, np.uint8)).save(rated.rows[2].image)
    run(rated, values=table)
    assert called == list(METHODS)
    called.clear()
    run(rated, values=table, data_range="reference")
    assert len(called) == len(METHODS) * len(rated.rows)


def test_an_interrupted_run_goes_on(
    rated: RatedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, seen = tmp_path / "values.tsv", []

    def stop(image: Path, error: str | None) -> None:
        seen.append(image)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(rated, values=table, on_image=stop)
    assert len(table.read_text().splitlines()) == 1 + 4 * len(METHODS)
    called: list[str] = []
    monkeypatch.setattr(_scoring, "method", lambda name: called.append(name) or method(name))
    assert values(run(rated, values=table)) == values(run(rated))
    assert called[: 11 * 3] == list(METHODS) * 11


def test_an_image_that_cannot_be_used_is_left_out_and_named(rated: RatedSet) -> None:
    rows = rated.rows
    rows[1].image.write_bytes(b"no picture")
    Image.fromarray(np.zeros((40, 41), np.uint8)).save(rows[2].image)
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(rows[3].image)
    told: dict[str, str | None] = {}
    compared = run(rated, on_image=lambda image, error: told.update({image.name: error}))
    reasons = {one.name: one.why for one in compared.failed}
    assert "not a picture" in reasons[rows[1].image.name]
    assert "40 x 41 pixels, but its reference ref0.png has 40 x 40" in reasons[rows[2].image.name]
    assert "as many bits" in reasons[rows[3].image.name]
    assert {one.code for one in compared.failed} == {3}
    assert len(compared.rated.images) == len(rows) - 3
    assert len(told) == len(rows)
    assert {name for name, error in told.items() if error} == set(reasons)
    assert "left out: 3" in " ".join(compared.notes)


def test_methods_that_give_no_value_are_missing_with_their_reason(rated: RatedSet) -> None:
    compared = run(rated, methods=(*METHODS, "ms_ssim", "lpips"))
    reasons = {one.name: one.why for one in compared.missing}
    assert "161" in reasons["ms_ssim"]
    assert "weights" in reasons["lpips"]
    assert len(compared.methods) == 3


def test_a_fault_of_a_method_does_not_stop_the_others(
    rated: RatedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str):
        return 1 / 0 if name == "gmsd" else method(name)

    monkeypatch.setattr(_scoring, "method", broken)
    compared = run(rated)
    (missing,) = compared.missing
    assert missing.name == "gmsd"
    assert "a bug in isocenter" in missing.why
    assert missing.code == 1


def test_values_of_ones_own_take_part(rated: RatedSet) -> None:
    mine = [row.mos for row in rated.rows]
    compared = run(rated, own={"mine": mine})
    assert compared.methods[0].column.name == "mine"
    assert compared.methods[0].column.seconds is None
    rated.rows[0].image.unlink()
    assert len(run(rated, own={"mine": mine}).methods[0].column.values) == len(mine) - 1


def test_a_reference_that_is_rated_itself_is_left_out(rated: RatedSet) -> None:
    itself = RatedImage(rated.rows[0].reference, rated.rows[0].reference, 99.0, 1.0, 12, {})
    compared = run(RatedSet((itself, *rated.rows)))
    assert len(compared.rated.images) == len(rated.rows)
    assert "rate a reference itself are left out: 1" in compared.notes[0]


def test_a_type_that_is_hardly_filled_makes_a_note(rated: RatedSet) -> None:
    for path in {path for row in rated.rows for path in (row.image, row.reference)}:
        Image.fromarray(read_grey(path).numpy().astype(np.uint16)).save(path)
    assert "of what the type of its file can hold" in run(rated).notes[0]
    assert len(run(rated, data_range="reference").notes) == 1  # that there are few references


def test_volumes_go_whole_or_slice_by_slice(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    clean = rng.random((20, 24, 18)).astype(np.float32)
    worse = clean + 0.1 * rng.random(clean.shape).astype(np.float32)
    affine = np.diag([1.0, 3.0, 1.0, 1.0])
    for name, data in {"clean": clean, "worse": worse}.items():
        nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / f"{name}.nii")
    pair = read_pair(tmp_path / "worse.nii", tmp_path / "clean.nii", "type")
    assert pair.slice_axis == 1
    assert pair.data_range == float(pair.reference.max())
    arguments = {"data_range": pair.data_range, "slice_axis": pair.slice_axis}
    image, reference = pair.image[None, None], pair.reference[None, None]
    scale = pair.data_range
    whole = psnr(image, reference, data_range=scale)
    sliced = by_slices(haarpsi, image, reference, axis=1, data_range=scale)
    assert method("psnr").value(pair.image, pair.reference, **arguments) == float(whole)
    assert method("haarpsi").value(pair.image, pair.reference, **arguments) == float(sliced.values)
    noise = by_slices(noise_estimate, image, axis=1)
    assert method("noise_estimate").value(pair.image, pair.reference, **arguments) == float(
        noise.values
    )


def test_all_is_every_metric_and_every_baseline() -> None:
    assert set(chosen("all")) == {*registry.metrics.names(), *BASELINES}
    assert chosen("psnr, ssim,psnr") == ("psnr", "ssim")
    for name in chosen("all"):
        assert method(name).better in ("higher", "lower")


def test_baselines_by_hand() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.meshgrid(torch.arange(300.0), torch.arange(300.0), indexing="ij")
    slope = (2 * x + 3 * y)[None, None]
    assert float(noise_estimate(slope)) == pytest.approx(0, abs=1e-2)
    noisy = slope + 5 * torch.randn(slope.shape, generator=generator)
    assert float(noise_estimate(noisy)) == pytest.approx(5, rel=0.02)
    assert float(mean_absolute_error(slope + 2, slope)) == 2
    assert float(image_mean(slope)) == pytest.approx(2.5 * 299)
    with pytest.raises(UsageError, match="3 x 3"):
        noise_estimate(slope[..., :2])


def test_what_makes_no_sense_is_refused(rated: RatedSet, tmp_path: Path) -> None:
    for options, kind, words in (
        ({"methods": "pnsr"}, UnknownName, "did you mean 'psnr'"),
        ({"methods": " ,"}, UsageError, "no method was named"),
        ({"data_range": "wide"}, UsageError, "'wide'"),
        ({"data_range": -1}, UsageError, "a number above 0"),
        ({"workers": 0}, UsageError, "1 or more"),
        ({"own": {"psnr": [1.0] * 15}}, UsageError, "rename it"),
        ({"own": {"mine": [1.0]}}, UsageError, "1 values for 15 rows"),
        ({"weights": {"psnr": tmp_path / "x"}}, UsageError, "needs none"),
        (
            {"methods": "lpips", "weights": {"lpips": tmp_path / "x"}},
            NothingFound,
            "no such file of weights",
        ),
    ):
        with pytest.raises(kind, match=words):
            run(rated, **options)
    (tmp_path / "values.tsv").write_text("some\tother\ttable\n")
    with pytest.raises(InputError, match="no table of values"):
        run(rated, values=tmp_path / "values.tsv")
    shutil.rmtree(rated.rows[0].image.parent)
    with pytest.raises(InputError, match="no image could be used"):
        run(rated)
