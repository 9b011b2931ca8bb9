"""Every format gives the values and places that nibabel gives, then right-front-up axes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from isocenter.data.io import Selection, count_volumes, load, read, to_volume
from isocenter.data.io._geometry import axis_codes, reoriented, to_ras
from isocenter.data.io._names import contrast_of
from tests.conftest import real_data

AFFINE = np.array([[0, -1.5, 0, 20], [0, 0, 2.0, -30], [1.25, 0, 0, 4], [0, 0, 0, 1.0]])
REAL = [
    path
    for folder, pattern in [
        ("formats", "*"),
        ("heads", "*.nii*"),
        ("spine", "*.nii*"),
        ("brains", "*_T1w.nii.gz"),
    ]
    for path in sorted((real_data() / folder).glob(pattern))
    if path.suffix not in (".dcm", ".md")
]
UNREADABLE = {"minc2_baddim.mnc"}
"""Voxels of 0.035 mm: refused as implausible."""


def noise(shape: tuple[int, ...], dtype: str = "i2") -> np.ndarray:
    return (np.random.default_rng(5).random(shape) * 250).astype(dtype)


def assert_like_nibabel(path: Path, volume: int | None = None) -> None:
    # Only the second half of an .img/.hdr pair has a name that nibabel takes.
    image = nibabel.load(path)
    expected = np.asanyarray(image.dataobj)
    loaded = load(path, Selection(volume=volume))
    if volume is not None:
        expected = expected[volume] if path.suffix == ".mnc" else expected[..., volume]
    expected = np.nan_to_num(expected.astype(np.float64), posinf=0, neginf=0)
    expected = expected.reshape(loaded.data.shape)
    atol = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(loaded.data, expected, rtol=1e-6, atol=atol)
    np.testing.assert_allclose(loaded.affine, image.affine, atol=1e-5)
    assert_reoriented_alike(loaded, image, expected)


def assert_reoriented_alike(loaded, image, expected) -> None:  # type: ignore[no-untyped-def]
    plain = nibabel.Nifti1Image(expected.astype(np.float64), image.affine)
    canonical = nibabel.as_closest_canonical(plain)
    scan = to_volume(loaded)
    np.testing.assert_allclose(scan.affine, canonical.affine, atol=1e-5)
    atol = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(scan.data.numpy(), canonical.get_fdata(), rtol=1e-6, atol=atol)


@pytest.mark.data
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
@pytest.mark.filterwarnings("ignore:Invalid spacing declaration")
def test_a_real_file_is_read_as_nibabel_reads_it(path: Path) -> None:
    if path.name in UNREADABLE:
        pytest.skip("refused on purpose")
    n_volumes = count_volumes(path)
    if path.name == "minc2-4d-d.mnc":  # its first volume is empty
        assert_like_nibabel(path, n_volumes - 1)
    else:
        assert_like_nibabel(path, n_volumes - 1 if n_volumes > 1 else None)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_of_every_number_type(kind: type, dtype: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"scan{ending}"
    kind(noise((9, 8, 7), dtype), AFFINE, dtype=np.dtype(dtype)).to_filename(path)
    assert_like_nibabel(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8), (9, 8, 7, 3), (9, 8, 1)])
def test_nifti_of_every_shape_and_byte_order(
    shape: tuple[int, ...], order: str, tmp_path: Path
) -> None:
    header = nibabel.Nifti1Header(endianness=order)
    nibabel.Nifti1Image(noise(shape), AFFINE, header).to_filename(tmp_path / "scan.nii")
    assert_like_nibabel(tmp_path / "scan.nii", 1 if len(shape) == 4 else None)


@pytest.mark.parametrize(
    ("kind", "ending"),
    [
        (nibabel.Nifti1Pair, ".img"),
        (nibabel.Nifti2Pair, ".hdr"),
        (nibabel.Spm2AnalyzeImage, ".hdr"),
        (nibabel.AnalyzeImage, ".img"),
        (nibabel.Nifti1Pair, ".img.gz"),
    ],
)
def test_pairs_are_read_from_either_half(kind: type, ending: str, tmp_path: Path) -> None:
    affine = np.diag([-2.0, 2.0, 3.0, 1.0])
    kind(noise((9, 8, 7)), affine).to_filename(tmp_path / f"scan{ending}")
    (tmp_path / "scan.mat").unlink(missing_ok=True)  # SPM's own affine, which is not read
    halves = sorted(tmp_path.iterdir())
    loaded = [load(half) for half in halves]
    for half in halves:
        assert_like_nibabel(half)
    assert len(halves) == 2
    assert loaded[0].facts.sha256 == loaded[1].facts.sha256
    both = b"".join(half.read_bytes() for half in halves)
    assert loaded[0].facts.sha256 == hashlib.sha256(both).hexdigest()


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4"])
@pytest.mark.parametrize("ending", [".mgh", ".mgz"])
@pytest.mark.parametrize("shape", [(9, 8, 7), (9, 8, 7, 3)])
def test_mgh(dtype: str, ending: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / f"brain{ending}"
    nibabel.MGHImage(noise(shape, dtype), AFFINE).to_filename(path)
    assert_like_nibabel(path, 2 if len(shape) == 4 else None)
    assert load(path, Selection(volume=0)).facts.warnings == ()


def test_the_matrix_that_spm_keeps_beside_is_said_to_be_unread(tmp_path: Path) -> None:
    nibabel.Spm2AnalyzeImage(noise((9, 8, 7)), AFFINE).to_filename(tmp_path / "scan.img")
    assert "scan.mat beside the image is not read" in " ".join(
        load(tmp_path / "scan.img").facts.warnings
    )


def test_mgh_without_place_is_coronal_as_in_nibabel(tmp_path: Path) -> None:
    path = tmp_path / "brain.mgh"
    nibabel.MGHImage(noise((9, 8, 7)), AFFINE).to_filename(path)
    content = bytearray(path.read_bytes())
    content[28:30] = b"\0\0"
    path.write_bytes(content)
    assert_like_nibabel(path)
    assert "orientation and voxel size unknown" in load(path).facts.warnings[0]


def test_the_same_scan_gives_the_same_tensor_however_stored(tmp_path: Path) -> None:
    data = noise((9, 8, 7))
    image = nibabel.Nifti1Image(data, AFFINE)
    image.to_filename(tmp_path / "plain.nii")
    image.to_filename(tmp_path / "packed.nii.gz")
    nibabel.Nifti2Image(data, AFFINE).to_filename(tmp_path / "two.nii")
    big = nibabel.Nifti1Header(endianness=">")
    nibabel.Nifti1Image(data, AFFINE, big).to_filename(tmp_path / "big.nii")
    nibabel.as_closest_canonical(image).to_filename(tmp_path / "ras.nii")
    nibabel.MGHImage(data, AFFINE).to_filename(tmp_path / "scan.mgz")
    scaled = nibabel.Nifti1Image((data.astype(np.int32) * 3 - 200).astype("i2"), AFFINE)
    scaled.header.set_slope_inter(1 / 3, 200 / 3)
    scaled.to_filename(tmp_path / "slope.nii")
    scans = {path.name: read(path) for path in sorted(tmp_path.iterdir())}
    first = scans.pop("plain.nii")
    for name, scan in scans.items():
        np.testing.assert_allclose(scan.data, first.data, rtol=1e-6, atol=1e-4, err_msg=name)
        np.testing.assert_allclose(scan.affine, first.affine, atol=1e-5, err_msg=name)


def test_the_facts_are_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "sub-01_FLAIR.nii.gz"
    nibabel.Nifti1Image(noise((9, 8, 7)), AFFINE).to_filename(path)
    scan = read(path)
    facts = load(path).facts
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.shape == (9, 8, 7)
    assert facts.dtype == "int16"
    assert facts.orientation == "SLA"
    assert facts.format == "NIfTI-1"
    assert scan.contrast == "FLAIR"
    assert scan.origin is not None
    assert scan.origin.params["orientation"] == "SLA"
    assert scan.origin.params["shape"] == [9, 8, 7]
    assert read(path, contrast="T1w").contrast == "T1w"


@pytest.mark.parametrize(
    ("name", "contrast"),
    [
        ("sub-01_ses-2_T1w.nii.gz", "T1w"),
        ("sub-01_T2w.nii", "T2w"),
        ("sub-01_FLAIR.nii.gz", "FLAIR"),
        ("t2_flair.nii", "FLAIR"),
        ("sub-01_PDw.mgz", "PDw"),
        ("patient-01_T1W.nii.gz", "T1w"),
        ("sub-01_T2starw.nii.gz", None),
        ("t1_to_t2.nii", None),
        ("bold.nii", None),
        ("pt1w.nii", None),
    ],
)
def test_contrast_comes_from_whole_words_of_the_name(name: str, contrast: str | None) -> None:
    assert contrast_of(name) == contrast


AXES = arrays.arrays(np.float64, (3, 3), elements=st.floats(-3, 3))


@given(matrix=AXES)
def test_reorientation_agrees_with_nibabel(matrix: np.ndarray) -> None:
    sizes = np.linalg.norm(matrix, axis=0)
    if sizes.min() < 0.1 or abs(np.linalg.det(matrix / np.maximum(sizes, 0.1))) < 0.2:
        return
    affine = np.eye(4)
    affine[:3, :3] = matrix
    data = np.arange(24.0).reshape(2, 3, 4)
    axes = to_ras(affine)
    moved = reoriented(affine, data.shape, axes)
    # Every voxel stays where it was in the world.
    for new in np.ndindex(*[data.shape[axis] for axis, _ in axes]):
        old = [0, 0, 0]
        for place, (axis, backwards) in zip(new, axes, strict=True):
            old[axis] = data.shape[axis] - 1 - place if backwards else place
        np.testing.assert_allclose(moved @ [*new, 1], affine @ [*old, 1], atol=1e-9)
    # The chosen axes follow the world's at least as closely as nibabel's greedy choice.
    u, _, vt = np.linalg.svd(matrix / sizes)
    nearness = np.abs(u @ vt)
    chosen = sum(nearness[world, axis] for world, (axis, _) in enumerate(axes))
    theirs = nibabel.io_orientation(affine)
    greedy = sum(nearness[int(world), axis] for axis, (world, _) in enumerate(theirs))
    assert chosen >= greedy - 1e-9
    assert len(set(axis_codes(affine))) == 3
