"""Folders of fastMRI and of Calgary-Campinas: who is whose, and the image that is in a file."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from isocenter.data.random import generator
from isocenter.errors import BadKSpace, NothingFound, UsageError
from isocenter.ops.coils import root_sum_of_squares
from isocenter.ops.fourier import ifft
from isocenter.training.inputs.kspace_examples import KSpaceExamples, Sampling
from isocenter.training.inputs.kspace_folders import (
    MeasuredSlices,
    combined_images,
    full_slice,
    kspace_files,
    split_files,
)
from tests.unit.data.made_kspace import coil_images, header, kspace_of, write_fastmri

ROWS, COLUMNS, COILS = 32, 40, 4
IMAGES = coil_images(ROWS, COLUMNS, 7, COILS)
PEOPLE = {
    "multicoil_train/file1": "anna",
    "multicoil_train/file2": "anna",
    "multicoil_train/file3": "bert",
    "multicoil_train/file4": "cleo",
    "multicoil_val/file5": "cleo",
    "multicoil_val/file6": "dora",
    "multicoil_test_v2/file7": "emil",
}


@pytest.fixture(scope="module")
def fastmri(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven files of six people, with a readout that was sampled twice as finely."""
    root = tmp_path_factory.mktemp("fastmri")
    xml = header((2 * ROWS, COLUMNS, 1), (ROWS, COLUMNS, 1))
    wide = torch.nn.functional.pad(IMAGES, (0, 0, ROWS // 2, ROWS // 2))
    for name, person in PEOPLE.items():
        path = root / f"{name}.h5"
        path.parent.mkdir(exist_ok=True)
        more = {"mask": np.ones(COLUMNS)} if "test" in name else {}
        attrs = {"patient_id": person, "acquisition": "AXT2"}
        write_fastmri(path, kspace_of(wide), xml=xml, attrs=attrs, **more)
    return root


def stored(images: torch.Tensor) -> np.ndarray:
    """As Calgary-Campinas files hold it: numpy's transform, shifted, parts side by side."""
    kspace = np.fft.fftshift(np.fft.fft2(images.permute(0, 2, 3, 1).numpy(), axes=(1, 2)), (1, 2))
    kspace[:, :, int(np.ceil(0.85 * kspace.shape[2])) :] = 0
    parts = np.empty((*kspace.shape[:3], 2 * kspace.shape[3]), np.float32)
    parts[..., ::2], parts[..., 1::2] = kspace.real, kspace.imag
    return parts


@pytest.fixture(scope="module")
def calgary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("calgary")
    names = ("Train/e1s3_P1.7", "Train/e2s3_P2.7", "Val/e3s3_P3.7", "Val/e4s3_P4.7",
             "Test-R=5/e5s3_P5.7")  # fmt: skip
    for name in names:
        path = root / f"{name}.h5"
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file["kspace"] = stored(IMAGES)
    return root


def test_fastmri_files_are_their_patients_and_tests_are_left_out(fastmri: Path) -> None:
    files = kspace_files(fastmri, "fastmri")
    found = {f"{file.path.parent.name}/{file.path.stem}": file.person for file in files}
    assert found == {name: person for name, person in PEOPLE.items() if "test" not in name}
    assert {file.n_slices for file in files} == {7}


def test_nobody_of_the_validation_folder_is_learned_from(fastmri: Path) -> None:
    split = split_files(kspace_files(fastmri, "fastmri"), rng=generator(1))
    assert split["train"] == ("anna", "bert")
    assert {*split["validation"], *split["test"]} == {"cleo", "dora"}
    assert len(split["validation"]) == len(split["test"]) == 1


def test_one_folder_alone_is_dealt_by_person(fastmri: Path) -> None:
    split = split_files(kspace_files(fastmri / "multicoil_train", "fastmri"), rng=generator(1))
    assert sorted(person for people in split.values() for person in people) == [
        "anna", "bert", "cleo",
    ]  # fmt: skip


def test_a_fastmri_slice_loses_the_oversampling_and_nothing_else(fastmri: Path) -> None:
    kspace = full_slice(kspace_files(fastmri, "fastmri")[0], 3)
    assert kspace.data.shape == (1, COILS, ROWS, COLUMNS)
    assert kspace.image_shape is None
    assert torch.allclose(ifft(kspace.data, (-2, -1))[0], IMAGES[3], atol=1e-5)


def test_columns_that_were_never_acquired_stay_out(tmp_path: Path) -> None:
    # Lines 0 to 31 with the centre at 12, of 40: columns 8 to 39.
    xml = header((2 * ROWS, COLUMNS, 1), (ROWS, COLUMNS, 1), maximum=31, centre=12)
    wide = torch.nn.functional.pad(IMAGES, (0, 0, ROWS // 2, ROWS // 2))
    write_fastmri(tmp_path / "a.h5", kspace_of(wide), xml=xml)
    kspace = full_slice(kspace_files(tmp_path, "fastmri")[0], 2)
    assert kspace.mask.places[0].any(0).nonzero().flatten().tolist() == list(range(8, 40))
    assert not bool(kspace.data[..., :8].any())


def test_a_file_without_a_patient_is_a_person(tmp_path: Path) -> None:
    write_fastmri(tmp_path / "file9.h5", kspace_of(IMAGES))
    assert [file.person for file in kspace_files(tmp_path, "fastmri")] == ["file9"]


def test_calgary_files_are_exams_on_the_sides_of_their_folders(calgary: Path) -> None:
    files = kspace_files(calgary, "calgary")
    assert [file.person for file in files] == ["e1", "e2", "e3", "e4"]
    split = split_files(files, rng=generator(0))
    assert split["train"] == ("e1", "e2")
    assert {*split["validation"], *split["test"]} == {"e3", "e4"}


def test_a_calgary_slice_shows_what_its_own_program_shows(calgary: Path) -> None:
    file = kspace_files(calgary, "calgary")[0]
    kspace = full_slice(file, 4)
    with h5py.File(file.path) as content:
        parts = content["kspace"][4]
    coils = np.fft.ifft2(parts[..., ::2] + 1j * parts[..., 1::2], axes=(0, 1))
    wanted = torch.from_numpy(np.sqrt((np.abs(coils) ** 2).sum(-1))).float()
    found = root_sum_of_squares(ifft(kspace.data, (-2, -1)))[0]
    size = (ROWS * COLUMNS) ** 0.5  # theirs is not orthonormal
    assert torch.allclose(found, wanted * size, atol=1e-4 * float(found.max()))
    assert kspace.data.shape == (1, COILS, ROWS, COLUMNS)


def test_a_calgary_slice_has_its_phase_and_its_centre(calgary: Path) -> None:
    kspace = full_slice(kspace_files(calgary, "calgary")[0], 4)
    strength = kspace.data[0].abs().sum(0)
    assert divmod(int(strength.argmax()), COLUMNS) == (ROWS // 2, COLUMNS // 2)
    found, wanted = ifft(kspace.data, (-2, -1))[0], IMAGES[4] * (ROWS * COLUMNS) ** 0.5
    likeness = (found * wanted.conj()).sum() / (found.norm() * wanted.norm())
    assert float(likeness.real) > 0.98
    measured = kspace.mask.places[0].any(0)
    assert measured.tolist() == [True] * 34 + [False] * 6


@pytest.mark.parametrize("source", ["fastmri", "calgary"])
def test_examples_are_undersampled_slices_of_the_files(
    source: str, request: pytest.FixtureRequest
) -> None:
    files = kspace_files(request.getfixturevalue(source), source)  # type: ignore[arg-type]
    sampling = Sampling(kinds=("uniform",), accelerations=(2.0, 2.0), acs=(8, 8))
    slices = MeasuredSlices(files, seed=1)
    examples = KSpaceExamples(slices, sampling, with_maps=True, length=2, seed=1)
    example, again = examples[1], examples[1]
    assert torch.equal(example.kspace, again.kspace)
    assert example.kspace.shape == (COILS, ROWS, COLUMNS)
    n_acquired = 34 if source == "calgary" else COLUMNS
    assert int(example.places[0].sum()) == round(n_acquired / 2)
    assert bool((example.kspace[:, ~example.places] == 0).all())
    full = slices.draw(generator(0)).kspace
    assert example.maps is not None
    assert example.target.shape == full.grid


def test_two_phase_encodings_are_undersampled_in_points(calgary: Path) -> None:
    slices = MeasuredSlices(kspace_files(calgary, "calgary"), seed=1)
    sampling = Sampling(kinds=("poisson",), accelerations=(2.5, 2.5), acs=(6, 6))
    places = KSpaceExamples(slices, sampling, with_maps=False, length=1, seed=1)[0].places
    assert not bool((places == places[:1]).all())
    middle = (slice(ROWS // 2 - 3, ROWS // 2 + 3), slice(COLUMNS // 2 - 3, COLUMNS // 2 + 3))
    assert bool(places[middle].all())
    assert not bool(places[:, 34:].any())
    assert 34 * ROWS / int(places.sum()) == pytest.approx(2.5, rel=0.02)


def test_combined_images_are_complex_and_as_bright_as_their_coils(fastmri: Path) -> None:
    files = kspace_files(fastmri, "fastmri")[:1]
    found = list(combined_images(files, apart=2))
    assert [person for person, _ in found] == ["anna"] * 3
    image, wanted = found[1][1], root_sum_of_squares(IMAGES[3])
    assert image.dtype == torch.complex64
    inside = wanted > 0.2 * wanted.max()
    assert float((image.abs() - wanted)[inside].norm() / wanted[inside].norm()) < 0.05


def test_an_undersampled_file_is_refused(tmp_path: Path) -> None:
    kspace = kspace_of(IMAGES)
    kspace[..., 1::2] = 0
    write_fastmri(tmp_path / "less.h5", kspace)
    with pytest.raises(BadKSpace, match=r"less\.h5 is undersampled"):
        full_slice(kspace_files(tmp_path, "fastmri")[0], 0)


def test_the_other_kind_of_file_is_refused(fastmri: Path, calgary: Path, tmp_path: Path) -> None:
    with pytest.raises(BadKSpace, match="no file of calgary"):
        kspace_files(fastmri, "calgary")
    write_fastmri(tmp_path / "odd.h5", np.zeros((4, 8), np.complex64))
    with pytest.raises(BadKSpace, match=r"odd\.h5: kspace has shape \(4, 8\)"):
        kspace_files(tmp_path, "fastmri")


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 40)
    with pytest.raises(BadKSpace, match=r"cut\.h5: .*damaged"):
        kspace_files(tmp_path, "fastmri")


@pytest.mark.parametrize(("kind", "said"), [("fastmri", "multicoil_train"), ("calgary", "Train")])
def test_an_empty_folder_holds_nothing(kind: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match=said):
        kspace_files(tmp_path, kind)  # type: ignore[arg-type]


def test_slices_of_nobody_are_refused() -> None:
    with pytest.raises(UsageError, match="nobody to learn from"):
        MeasuredSlices((), seed=0)
