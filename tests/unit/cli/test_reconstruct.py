"""What ``isocenter reconstruct`` and ``compare-recon`` refuse: one sentence and the right code."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.cli._app import run
from isocenter.data.io import write_kspace_hdf5
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.restorers import acquire


@pytest.fixture(scope="module")
def less(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One slice of a phantom by four coils, half of its lines."""
    scan = head_phantom((48, 56, 20), 2.0)
    kspace = acquire(scan, acceleration=2, acs=12, n_coils=4, slices=(9, 10), rng=generator(3))
    return write_kspace_hdf5(kspace, tmp_path_factory.mktemp("kspace") / "less.h5")


def refused(words: tuple[object, ...], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run([str(word) for word in words])
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    return code, told


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--method", "sens"), 2, "did you mean 'sense'?"),
        (("--method", "sense", "--samples", "4"), 2, "--samples means nothing to sense"),
        (("--method", "sense", "--set", "weights=1"), 2, "did you mean 'weight'?"),
        (("--method", "sense", "--acceleration", "2"), 3, "already undersampled (R="),
        (("--mask", "unifrm"), 2, "neither a file nor a kind of mask"),
        (("--acceleration", "0.5"), 2, "give a number above 1"),
        (("--slices", "3-1"), 2, "give them as 3-10 or 7"),
        (("--crop", "center"), 2, "did you mean 'centre'?"),
        (("--time-budget", "-3"), 2, "give seconds above 0"),
        (("--seed", "-3"), 2, "--seed is -3"),
        (("--device", "abacus"), 2, "device 'abacus' cannot be used"),
        (("--method", "sense", "--slices", "7"), 3, "slice"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    less: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    says: str,
) -> None:
    out = tmp_path / "out.nii.gz"
    ended, told = refused(("reconstruct", less, out, *words), capsys)
    assert (ended, says in told) == (code, True), told
    assert not list(tmp_path.iterdir())


def test_only_nifti_is_written_and_only_into_a_folder(
    less: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "only NIfTI" in refused(("reconstruct", less, tmp_path / "out.h5"), capsys)[1]
    code, told = refused(("reconstruct", less, tmp_path / "no" / "out.nii.gz"), capsys)
    assert (code, "cannot write to the folder" in told) == (6, True)


def test_a_comparison_needs_something_to_compare_with(
    less: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = refused(("compare-recon", less, "--methods", "sense"), capsys)
    assert code == 2
    assert "give a fully sampled file and --acceleration, or --reference" in told
    code, told = refused(("compare-recon", less, "--methods", "sens"), capsys)
    assert "did you mean 'sense'?" in told
    code, told = refused(("compare-recon", less, "--out", tmp_path / "table.txt"), capsys)
    assert "give a name that ends in .tsv" in told
