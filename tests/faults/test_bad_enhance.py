"""What ``enhance``, ``check`` and ``fit-prior`` cannot work on: one sentence, the right code, and
nothing written."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

from isocenter.cli._app import run
from isocenter.data import atomic
from isocenter.data.checkpoint import Checkpoint
from isocenter.restorers._thick_net import ThickNet
from tests.made_thick_net import made_slab_unet

SPACING = (1.0, 1.0, 4.0)


def save(
    data: np.ndarray, path: Path, spacing: tuple[float, float, float] = SPACING, shift: float = 0
) -> Path:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = shift
    nibabel.save(nibabel.Nifti1Image(data.astype(np.float32), affine), path)
    return path


def thick_head(shape: tuple[int, int, int] = (40, 44, 12)) -> np.ndarray:
    """An ellipsoid of thick voxels in noise."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt((x / 0.8) ** 2 + (y / 0.8) ** 2 + (z / 0.9) ** 2)
    noise = np.random.default_rng(1).normal(0, 10, (2, *radius.shape))
    return np.hypot(700 * (radius < 1) + 300 * (radius < 0.6) + noise[0], noise[1])


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scan of thick slices, in which commands run."""
    monkeypatch.chdir(tmp_path)
    save(thick_head(), tmp_path / "scan.nii.gz")
    return tmp_path


def four_dimensions(place: Path) -> None:
    save(np.stack([thick_head()] * 3, -1), place / "scan.nii.gz")


def isotropic(place: Path) -> None:
    save(thick_head(), place / "scan.nii.gz", (1.0, 1.0, 1.2))


def one_slice(place: Path) -> None:
    save(thick_head()[:, :, 5:6], place / "scan.nii.gz")


def mask_of_another_grid(place: Path) -> None:
    save(thick_head()[:20] > 400, place / "mask.nii.gz")


def mask_that_lies_elsewhere(place: Path) -> None:
    save(thick_head() > 400, place / "mask.nii.gz", shift=30)


def mask_without_brain(place: Path) -> None:
    save(np.zeros((40, 44, 12)), place / "mask.nii.gz")


def mask_below_zero(place: Path) -> None:
    save(-(thick_head() > 400).astype(float), place / "mask.nii.gz")


def weights_of_another_network(place: Path) -> None:
    empty: dict[str, object] = {}
    made = Checkpoint("hsfnet", *[empty] * 5, {"a": torch.zeros(3)})
    made.save(place / "siqt.safetensors")


def weights_of_another_ratio(place: Path) -> None:
    made_slab_unet(place, ratios=(2, 3))


def weights_that_are_cut(place: Path) -> None:
    path = made_slab_unet(place)
    path.write_bytes(path.read_bytes()[:-100])


def foreign_document(place: Path) -> None:
    (place / "out.json").write_text('{"EchoTime": 0.1}')


def nothing(place: Path) -> None:
    """The scan is fine."""


CUBIC = ("--method", "cubic")
MASK = (*CUBIC, "--brain", "mask.nii.gz")
WEIGHTS = ("--weights", "siqt.safetensors")
REFUSED: dict[str, tuple[Callable[[Path], None], tuple[str, ...], int, str]] = {
    "four_dimensions": (four_dimensions, CUBIC, 3, "choose one with --volume"),
    "isotropic": (isotropic, CUBIC, 3, "1.00 x 1.00 x 1.20 mm, already isotropic"),
    "one_slice": (one_slice, CUBIC, 3, "single slice"),
    "wrong_ratio": (nothing, (*CUBIC, "--ratio", "8"), 2, "ratio 8 does not go with voxels of"),
    "ratio_abc": (nothing, ("--ratio", "abc"), 2, "--ratio is 'abc': give auto, or a whole"),
    "ratio_9": (nothing, ("--ratio", "9"), 2, "--ratio is '9': give auto, or a whole number"),
    "ratio_half": (nothing, ("--ratio", "2.5"), 2, "--ratio is '2.5': give auto"),
    "wrong_axis": (nothing, (*CUBIC, "--axis", "sagittal"), 3, "isotropic"),
    "axis_name": (nothing, (*CUBIC, "--axis", "up"), 2, '"up"'),
    "other_grid": (mask_of_another_grid, MASK, 3, "brain mask (20, 44, 12) is not on the scan's"),
    "elsewhere": (mask_that_lies_elsewhere, MASK, 3, "brain mask lies elsewhere"),
    "no_brain": (mask_without_brain, MASK, 3, "the brain mask is empty: give one that is above"),
    "no_brain_below_zero": (mask_below_zero, MASK, 3, "the brain mask is empty"),
    "no_mask": (nothing, MASK, 3, "the brain mask cannot be used"),
    "method": (nothing, ("--method", "sqit"), 2, "no method 'sqit'; did you mean 'siqt'?"),
    "kspace": (nothing, ("--method", "sense"), 2, "no method that takes a scan 'sense'"),
    "members": (nothing, ("--members", "0"), 2, "--members is 0: give 1 or more"),
    "no_network": (nothing, (*CUBIC, "--members", "2"), 2, "--members means nothing to cubic"),
    "setting": (nothing, (*CUBIC, "--set", "ratioo=3"), 2, "did you mean 'ratio'?"),
    "memory": (nothing, ("--max-memory", "0"), 2, "--max-memory is 0: give gigabytes above 0"),
    "seed": (nothing, ("--seed", "-1"), 2, "--seed is -1"),
    "contrast": (nothing, ("--contrast", "T1"), 2, "did you mean 'T1w'?"),
    "other_network": (weights_of_another_network, WEIGHTS, 5, "'hsfnet'"),
    "other_ratio": (weights_of_another_ratio, WEIGHTS, 2, "has learned ratios from 2 to 3"),
    "cut_weights": (weights_that_are_cut, WEIGHTS, 5, "cut short or damaged"),
    "no_weights": (nothing, WEIGHTS, 5, "no weights at siqt.safetensors"),
    "foreign_document": (foreign_document, CUBIC, 2, "was not written by enhance"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_input_is_refused_and_nothing_is_written(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words, code, sentence = REFUSED[name]
    make(place)
    before = {path: path.read_bytes() for path in place.iterdir()}
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *words]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert {path: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize(
    ("to", "code", "sentence"),
    [
        ("missing/out.nii.gz", 6, "cannot write to the folder missing"),
        ("out.png", 2, "only NIfTI can be written"),
        (".nii.gz", 2, "only NIfTI can be written"),
        ("scan.nii.gz", 2, "is an input, which is never overwritten"),
    ],
)
def test_a_place_that_cannot_be_is_refused_first(
    to: str, code: int, sentence: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in place.iterdir()}
    assert run(["enhance", "scan.nii.gz", to, *CUBIC]) == code
    assert sentence in capsys.readouterr().err
    assert {path: path.read_bytes() for path in place.iterdir()} == before


def test_an_input_of_an_outputs_name_is_never_overwritten(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = save(thick_head() > 400, place / "out_lower.nii.gz")
    before = mask.read_bytes()
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *CUBIC, "--brain", str(mask)]) == 2
    assert "never overwritten" in capsys.readouterr().err
    assert mask.read_bytes() == before


def test_one_of_four_dimensions_is_chosen(place: Path) -> None:
    four_dimensions(place)
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *CUBIC, "--volume", "1", "--quiet"]) == 0
    assert nibabel.load(place / "out.nii.gz").shape == (40, 44, 48)


def test_out_of_memory_takes_smaller_tiles_and_says_so(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_slab_unet(place)
    save(thick_head((96, 96, 16)), place / "scan.nii.gz")
    fed = ThickNet.__call__
    sizes: list[int] = []

    def narrow(net: ThickNet, tile: torch.Tensor, members: int) -> torch.Tensor:
        sizes.append(tile.numel())
        if tile.numel() == sizes[0]:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")
        return fed(net, tile, members)

    monkeypatch.setattr(ThickNet, "__call__", narrow)
    words = ["--weights", "siqt.safetensors", "--members", "2"]
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *words]) == 0
    assert "smaller ones were taken" in capsys.readouterr().out
    assert "smaller ones were taken" in (place / "out.json").read_text()


def test_out_of_memory_with_the_smallest_tiles_is_said(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made_slab_unet(place)

    def never(net: ThickNet, tile: torch.Tensor, members: int) -> torch.Tensor:
        raise MemoryError

    monkeypatch.setattr(ThickNet, "__call__", never)
    words = ["--weights", "siqt.safetensors", "--members", "2"]
    before = set(place.iterdir())
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *words]) == 6
    assert "out of memory even with the smallest tiles" in capsys.readouterr().err
    assert set(place.iterdir()) == before


@pytest.mark.parametrize("last", [0, 1, 3])
def test_a_full_disk_leaves_nothing_of_the_result(
    last: int, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace = os.replace
    done: list[str] = []

    def full(source: Path, to: Path) -> None:
        if len(done) == last:
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(str(to))
        replace(source, to)

    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *CUBIC, "--quiet"]) == 0
    monkeypatch.setattr(atomic.os, "replace", full)
    assert run(["enhance", "scan.nii.gz", "out.nii.gz", *CUBIC]) == 6
    assert "disk full while writing out" in capsys.readouterr().err
    assert {path.name for path in place.iterdir()} == {"scan.nii.gz"}


CHECKS: dict[str, tuple[Callable[[Path], None], tuple[str, ...], int, str]] = {
    "no_thinner": (
        lambda place: save(thick_head(), place / "thin.nii.gz"),
        (),
        3,
        "slices are 4.00 mm apart in the enhanced scan and 4.00 mm in the scan",
    ),
    "elsewhere": (
        lambda place: save(thick_head(), place / "thin.nii.gz", (1, 1, 1), shift=900),
        (),
        3,
        "lies elsewhere than the scan",
    ),
    "deviation_of_another_grid": (
        lambda place: save(thick_head(), place / "thin.nii.gz", (1, 1, 1)),
        ("--deviation", "mask.nii.gz"),
        3,
        "the deviation (20, 44, 12) is not on the scan's grid",
    ),
    "json_name": (nothing, ("--json", "checks.txt"), 2, "give a name that ends in .json"),
    "json_folder": (nothing, ("--json", "no/checks.json"), 6, "cannot write to the folder"),
    "absent": (nothing, (), 4, "thin.nii.gz"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_cannot_be_checked_is_refused(
    name: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words, code, sentence = CHECKS[name]
    mask_of_another_grid(place)
    make(place)
    before = set(place.iterdir())
    assert run(["check", "thin.nii.gz", "scan.nii.gz", *words]) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert set(place.iterdir()) == before


@pytest.mark.parametrize(
    ("n_scans", "words", "code", "sentence"),
    [
        (4, (), 2, "4 scans are too few for a prior: give 5 or more"),
        (1, (), 2, "1 scan is too few for a prior"),
        (5, ("--contrast", "T1"), 2, "did you mean 'T1w'?"),
        (5, ("--brain", "mask.nii.gz"), 2, "1 brain masks for 5 scans"),
        (5, ("--tissue", "mask.nii.gz"), 2, "1 tissue maps for 5 scans: give three of each scan"),
        (5, ("--out", "prior.txt"), 2, "ends in .json"),
        (5, ("--out", "no/prior.json"), 6, "cannot write to the folder no"),
        (5, (), 3, "0 of 5 scans could be measured, 5 are needed for a prior"),
    ],
)
def test_a_prior_that_cannot_be_fitted_is_refused(
    n_scans: int,
    words: tuple[str, ...],
    code: int,
    sentence: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = set(place.iterdir())
    out = () if "--out" in words else ("--out", "prior.json")
    assert run(["fit-prior", *["scan.nii.gz"] * n_scans, *out, *words]) == code
    assert sentence in capsys.readouterr().err
    assert set(place.iterdir()) == before
