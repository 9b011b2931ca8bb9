"""Files that a disk, a network or a hurried export may hand over; all made here.

Every maker takes an empty folder and returns the path to read.  Its name begins with the row
of the fault table that it stands for.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from isal import igzip_lib, isal_zlib

Maker = Callable[[Path], Path]
AFFINE = np.array([[-2.0, 0, 0, 30], [0, 2.0, 0, -40], [0, 0, 2.5, -20], [0, 0, 0, 1]])
SHAPE = (32, 32, 20)
MAKERS: dict[str, Maker] = {}
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SLOPE, INTERCEPT = 40, 70, 76, 108, 112, 116
UNITS, QFORM, SFORM, QUATERNION, SROW = 123, 252, 254, 256, 280


def maker(function: Maker) -> Maker:
    MAKERS[function.__name__] = function
    return function


def head(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """int16 head with noise, air around it, and structure that changes from slice to slice."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1.2, 1.2, side) for side in shape], indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    texture = 120 * np.sin(5 * axes[0] + 2 * axes[2]) * np.cos(4 * axes[1] - 3 * axes[2])
    clean = (radius < 1) * (500 + texture + 400 * (radius > 0.8))
    return np.abs(clean + rng.normal(scale=12, size=shape)).round().astype(np.int16)


def nifti(
    data: np.ndarray, *patches: tuple[int, str, object], affine: np.ndarray = AFFINE
) -> bytes:
    """A NIfTI-1 file's bytes with header fields overwritten: (offset, struct format, value)."""
    image = nibabel.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm")
    image.set_qform(affine, 1)
    content = bytearray(image.to_bytes())
    for offset, form, value in patches:
        values = value if isinstance(value, tuple) else (value,)
        struct.pack_into("<" + form, content, offset, *values)
    return bytes(content)


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def packed(content: bytes) -> bytes:
    return bytes(igzip_lib.compress(content, 1, igzip_lib.COMP_GZIP))


def patched(row: str, *patches: tuple[int, str, object]) -> None:
    """A maker of the plain head with header fields overwritten."""

    def make(folder: Path) -> Path:
        return put(folder / "scan.nii", nifti(head(), *patches))

    make.__name__ = row
    maker(make)


def zeros_gzip(start: bytes, n_blocks: int) -> bytes:
    """``start`` and then 16 MB of zeros ``n_blocks`` times, as valid gzip made in no time."""
    block = bytes(1 << 24)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = squeeze.compress(start) + squeeze.flush(zlib.Z_FULL_FLUSH)
    crc, block_crc = zlib.crc32(start), zlib.crc32(block)
    for _ in range(n_blocks):
        crc = isal_zlib.crc32_combine(crc, block_crc, len(block))
    size = (len(start) + n_blocks * len(block)) % 2**32
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    trailer = struct.pack("<II", crc, size)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first + zeros * n_blocks + end + trailer


@maker
def row01_empty(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", b"")


@maker
def row02_gzip_cut(folder: Path) -> Path:
    content = packed(nifti(head()))
    return put(folder / "scan.nii.gz", content[: len(content) // 2])


@maker
def row02_gzip_without_trailer(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", packed(nifti(head()))[:-8])


@maker
def row02_gzip_cut_in_header(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", packed(nifti(head()))[:40])


@maker
def row03_plain_cut(folder: Path) -> Path:
    content = nifti(head())
    return put(folder / "scan.nii", content[: len(content) // 2])


@maker
def row04_checksum(folder: Path) -> Path:
    content = bytearray(packed(nifti(head())))
    content[-8] ^= 1
    return put(folder / "scan.nii.gz", bytes(content))


@maker
def row04_length(folder: Path) -> Path:
    content = bytearray(packed(nifti(head())))
    content[-1] ^= 1
    return put(folder / "scan.nii.gz", bytes(content))


@maker
def row05_bit_flip(folder: Path) -> Path:
    # A stored block: the flip changes a voxel and no code, so only the checksum can tell.
    squeeze = zlib.compressobj(0, zlib.DEFLATED, 31)
    content = bytearray(squeeze.compress(nifti(head())) + squeeze.flush())
    content[len(content) // 2] ^= 64
    return put(folder / "scan.nii.gz", bytes(content))


@maker
def row05_code_flip(folder: Path) -> Path:
    content = bytearray(packed(nifti(head())))
    content[len(content) // 2] ^= 8
    return put(folder / "scan.nii.gz", bytes(content))


@maker
def row06_garbage_behind(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", packed(nifti(head())) + b"left over")


@maker
def row06_second_member(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", packed(nifti(head())) + packed(nifti(head(seed=1))))


@maker
def row06_one_image_in_two_members(folder: Path) -> Path:
    content = nifti(head())
    return put(folder / "scan.nii.gz", packed(content[:9000]) + packed(content[9000:]))


@maker
def row07_plain_named_gz(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", nifti(head()))


@maker
def row08_gzip_named_nii(folder: Path) -> Path:
    return put(folder / "scan.nii", packed(nifti(head())))


@maker
def row09_page(folder: Path) -> Path:
    page = b"\n<!DOCTYPE html><html><body>404 Not Found</body></html>" * 40
    return put(folder / "scan.nii.gz", page)


@maker
def row09_lfs_pointer(folder: Path) -> Path:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 41312\n"
    return put(folder / "scan.nii.gz", text.encode())


@maker
def row09_annex_pointer(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", b"/annex/objects/MD5E-s41312--00ff.nii.gz\n")


@maker
def row10_zeros(folder: Path) -> Path:
    return put(folder / "scan.nii", bytes(352))


patched("row11_no_axes", (DIM, "h", 0))
patched("row12_no_columns", (DIM + 2, "h", 0))
patched("row13_negative_side", (DIM + 2, "h", -32))
patched("row14_nine_axes", (DIM, "h", 9))
patched("row15_exabytes", (DIM, "5h", (4, 32767, 32767, 32767, 32767)))
patched("row17_datatype", (DATATYPE, "h", 9999))


@maker
def row15_exabytes_gz(folder: Path) -> Path:
    content = nifti(head(), (DIM, "5h", (4, 32767, 32767, 32767, 32767)))
    return put(folder / "scan.nii.gz", packed(content))


@maker
def row16_bomb_honest(folder: Path) -> Path:
    start = nifti(head(), (DIM, "4h", (3, 1024, 1024, 1000)), (DATATYPE, "h", 2))[:352]
    return put(folder / "scan.nii.gz", zeros_gzip(start, 64))


@maker
def row16_bomb_within_budget(folder: Path) -> Path:
    start = nifti(head(), (DIM, "4h", (3, 512, 512, 512)), (DATATYPE, "h", 16))[:352]
    return put(folder / "scan.nii.gz", zeros_gzip(start, 32))


@maker
def row16_bomb_of_many_volumes(folder: Path) -> Path:
    start = nifti(head(), (DIM, "5h", (4, 256, 256, 256, 64)), (DATATYPE, "h", 2))[:352]
    return put(folder / "scan.nii.gz", zeros_gzip(start, 64))


@maker
def row16_bomb_behind_image(folder: Path) -> Path:
    return put(folder / "scan.nii.gz", zeros_gzip(nifti(head()), 64))


@maker
def row18_rgb(folder: Path) -> Path:
    colours = np.zeros((8, 8, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["R"] = head((8, 8, 4)) % 256
    return put(folder / "scan.nii", nifti(colours))


@maker
def row18_rgba(folder: Path) -> Path:
    colours = np.zeros((8, 8, 4), [("R", "u1"), ("G", "u1"), ("B", "u1"), ("A", "u1")])
    colours["R"] = head((8, 8, 4)) % 256
    return put(folder / "scan.nii", nifti(colours))


@maker
def row26_five_axes(folder: Path) -> Path:
    vectors = np.stack([head(seed=seed) for seed in range(3)], -1)[:, :, :, None]
    return put(folder / "scan.nii", nifti(vectors, (68, "h", 1007)))


@maker
def row26_trailing_singletons(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(head()[..., None, None, None]))


@maker
def row19_complex(folder: Path) -> Path:
    phase = np.exp(1j * np.linspace(0, 3, SHAPE[0]))[:, None, None]
    return put(folder / "scan.nii", nifti((head() * phase).astype(np.complex64)))


@maker
def row20_all_nan(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(np.full(SHAPE, np.nan, np.float32)))


@maker
def row21_some_nan(folder: Path) -> Path:
    data = head().astype(np.float32)
    data[0, 0, :5], data[1, 0, :3] = np.nan, np.inf
    return put(folder / "scan.nii", nifti(data))


@maker
def row22_constant(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(np.full(SHAPE, 7, np.int16)))


@maker
def row22_constant_but_nan(folder: Path) -> Path:
    data = np.full(SHAPE, 7, np.float32)
    data[3, 4, 5] = np.nan
    return put(folder / "scan.nii", nifti(data))


@maker
def row23_single_voxel(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(np.full((1, 1, 1), 7, np.int16)))


@maker
def row23_one_slice(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(head()[:, :, 10:11]))


@maker
def row24_two_axes(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(head()[:, :, 10]))


@maker
def row25_four_axes(folder: Path) -> Path:
    volumes = np.stack([head(seed=seed) for seed in range(4)], -1)
    return put(folder / "scan.nii.gz", packed(nifti(volumes)))


@maker
def row25_four_axes_plain(folder: Path) -> Path:
    volumes = np.stack([head(seed=seed) for seed in range(4)], -1)
    return put(folder / "scan.nii", nifti(volumes))


patched("row27_slope_zero", (SLOPE, "2f", (0.0, 5.0)))
patched("row28_slope_nan", (SLOPE, "2f", (float("nan"), 0.0)))
patched("row28_slope_infinite", (SLOPE, "2f", (float("inf"), 0.0)))
patched("row28_intercept_nan", (SLOPE, "2f", (1.0, float("nan"))))
patched("row29_slope_and_intercept", (SLOPE, "2f", (0.37, 12.5)))


@maker
def row30_wrapped(folder: Path) -> Path:
    large = (head().astype(np.int64) * 60).astype(np.uint16)
    return put(folder / "scan.nii", nifti(large.view(np.int16)))


@maker
def row31_big_endian(folder: Path) -> Path:
    image = nibabel.Nifti1Image(head().astype(">i2"), AFFINE)
    header = image.header.as_byteswapped(">")
    nibabel.Nifti1Image(head(), AFFINE, header).to_filename(folder / "scan.nii")
    return folder / "scan.nii"


@maker
def row32_nifti2(folder: Path) -> Path:
    nibabel.Nifti2Image(head(), AFFINE).to_filename(folder / "scan.nii.gz")
    return folder / "scan.nii.gz"


patched("row33_no_orientation", (QFORM, "2h", (0, 0)))
patched("row34_conflict", (SROW + 12, "f", 37.0))
patched("row35_sform_nan", (SROW, "f", float("nan")))
patched("row36_singular", (SROW, "4f", (0.0, 2.0, 0.0, 30.0)))
patched("row36_zero_column", (SROW, "f", 0.0))
patched("row37_sheared", (QFORM, "h", 0), (SROW + 4, "f", 0.4))
patched("row38_no_size", (PIXDIM + 4, "3f", (0.0, 0.0, 0.0)), (QFORM, "2h", (0, 0)))
patched(
    "row39_metres",
    (UNITS, "B", 1),
    (SROW, "f", -0.002),
    (SROW + 20, "f", 0.002),
    (SROW + 40, "f", 0.0025),
    (QFORM, "h", 0),
)
patched("row39_microns_but_mm", (UNITS, "B", 3))
patched("row39_huge", (QFORM, "h", 0), (SROW, "f", -400.0))
patched("row41_offset_nan", (VOX_OFFSET, "f", float("nan")))
patched("row42_offset_beyond", (VOX_OFFSET, "f", 1e9))
patched("row42_offset_negative", (VOX_OFFSET, "f", -352.0))
patched("row42_offset_zero", (VOX_OFFSET, "f", 0.0))
patched("row44_sizeof_zero", (0, "i", 0))


@maker
def row37_oblique(folder: Path) -> Path:
    cos, sin = np.cos(0.3), np.sin(0.3)
    turn = np.array([[1, 0, 0, 0], [0, cos, -sin, 0], [0, sin, cos, 0], [0, 0, 0, 1]])
    return put(folder / "scan.nii", nifti(head(), affine=turn @ AFFINE))


@maker
def row40_anisotropic(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(head(), affine=np.diag([0.4, 0.4, 7.0, 1.0])))


@maker
def row43_extension(folder: Path) -> Path:
    content = bytearray(nifti(head()))
    content[348:352] = b"\1\0\0\0"
    content[352:352] = struct.pack("<2i", 2**31 - 16, 6) + bytes(8)
    struct.pack_into("<f", content, VOX_OFFSET, 368.0)
    return put(folder / "scan.nii", bytes(content))


@maker
def row45_lonely_header(folder: Path) -> Path:
    nibabel.AnalyzeImage(head(), AFFINE).to_filename(folder / "scan.img")
    (folder / "scan.img").unlink()
    return folder / "scan.hdr"


@maker
def row45_lonely_image(folder: Path) -> Path:
    row45_lonely_header(folder).rename(folder / "other.hdr")
    return put(folder / "scan.img", head().tobytes())


@maker
def row46_broken_annex_link(folder: Path) -> Path:
    (folder / "scan.nii.gz").symlink_to("../.git/annex/objects/xx/MD5E-s41312--00ff.nii.gz")
    return folder / "scan.nii.gz"


@maker
def row46_broken_link(folder: Path) -> Path:
    (folder / "scan.nii.gz").symlink_to("nowhere.nii.gz")
    return folder / "scan.nii.gz"


@maker
def row47_folder(folder: Path) -> Path:
    (folder / "scan.nii.gz").mkdir()
    return folder / "scan.nii.gz"


@maker
def row47_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "scan.nii")
    return folder / "scan.nii"


@maker
def row47_device(folder: Path) -> Path:
    return Path("/dev/zero")


NAMES = {
    "newline": b"sub\n01.nii",
    "quotes": b"a\"b'c.nii",
    "script": b"<script>alert(1)<\\script>.nii",
    "emoji": "\N{BRAIN}.nii".encode(),
    "longest": b"n" * 251 + b".nii",
    "not_utf8": b"caf\xe9\xff.nii",
    "formula": b"=1+1@cmd.nii",
    "spaces": b" leading and trailing .nii",
    "right_to_left": "\N{RIGHT-TO-LEFT OVERRIDE}gz.nii".encode(),
}


def named(folder: Path, name: str) -> Path:
    path = os.fsencode(folder) + b"/" + NAMES[name]
    return put(Path(os.fsdecode(path)), nifti(head()))


@maker
def row50_skull_stripped(folder: Path) -> Path:
    data = head()
    data[data < 200] = 0
    return put(folder / "scan.nii", nifti(data))


def defaced() -> np.ndarray:
    data = head()
    data[:, 24:, :8] = 0
    return data


@maker
def row51_defaced(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(defaced()))


@maker
def row52_frame(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(np.pad(head(), ((8, 8), (6, 4), (5, 5)))))


def noise() -> np.ndarray:
    return np.random.default_rng(3).normal(100, 20, SHAPE).round().astype(np.int16)


@maker
def row53_noise_only(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(noise()))


def labels() -> np.ndarray:
    data = head()
    return ((data > 200) * 3 + (data > 800) * 38).astype(np.int16)


@maker
def row54_labels(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(labels()))


def signed_map() -> np.ndarray:
    return np.random.default_rng(3).normal(0, 0.05, SHAPE).astype(np.float32)


@maker
def row54_signed_map(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(signed_map()))


def smooth_head() -> np.ndarray:
    """Slices that change slowly, as in a scan of a few millimetres a slice."""
    return head((48, 48, 40))


@maker
def row55_double_slice(folder: Path) -> Path:
    data = smooth_head()
    data[:, :, 21] = data[:, :, 20]
    return put(folder / "scan.nii", nifti(data))


@maker
def row55_swapped_slices(folder: Path) -> Path:
    data = smooth_head()
    data[:, :, [20, 23]] = data[:, :, [23, 20]]
    return put(folder / "scan.nii", nifti(data))


@maker
def row55_swapped_neighbours(folder: Path) -> Path:
    data = head((48, 48, 24))
    data[:, :, [11, 12]] = data[:, :, [12, 11]]
    return put(folder / "scan.nii", nifti(data))


@maker
def row55_missing_slices(folder: Path) -> Path:
    return put(folder / "scan.nii", nifti(np.delete(smooth_head(), slice(13, 18), axis=2)))


@maker
def row55_empty_slice(folder: Path) -> Path:
    data = smooth_head()
    data[:, :, 20] = 0
    return put(folder / "scan.nii", nifti(data))


@maker
def mgz_cut(folder: Path) -> Path:
    nibabel.MGHImage(head(), AFFINE).to_filename(folder / "whole.mgz")
    content = (folder / "whole.mgz").read_bytes()
    return put(folder / "scan.mgz", content[: len(content) // 2])


@maker
def mgh_claims_too_much(folder: Path) -> Path:
    nibabel.MGHImage(head(), AFFINE).to_filename(folder / "scan.mgh")
    content = bytearray((folder / "scan.mgh").read_bytes())
    struct.pack_into(">4i", content, 4, 2**31 - 1, 2**31 - 1, 2**31 - 1, 1)
    return put(folder / "scan.mgh", bytes(content))


@maker
def mgh_negative_side(folder: Path) -> Path:
    path = mgh_claims_too_much(folder)
    content = bytearray(path.read_bytes())
    struct.pack_into(">4i", content, 4, -5, 32, 20, 1)
    return put(path, bytes(content))


@maker
def minc1_cut(folder: Path) -> Path:
    return put(folder / "scan.mnc", b"CDF\x01\0\0\0\0\0\0\0\x0a\0\0\0\x03")


@maker
def minc1_claims_too_much(folder: Path) -> Path:
    return put(folder / "scan.mnc", b"CDF\x01\0\0\0\0\0\0\0\x0a\x7f\xff\xff\xff" + bytes(64))


def hdf5(folder: Path, **options: object) -> Path:
    """The skeleton of a MINC-2 file; ``options`` go to its image."""
    import h5py

    with h5py.File(folder / "scan.mnc", "w") as file:
        group = file.create_group("minc-2.0/image/0")
        given = {"shape": (4, 5, 6), "dtype": "i2", **options}
        group.create_dataset("image", **given)
    return folder / "scan.mnc"


@maker
def minc2_external_storage(folder: Path) -> Path:
    secret = put(folder / "secret.bin", bytes(240))
    return hdf5(folder, external=[(str(secret), 0, 240)])


@maker
def minc2_external_link(folder: Path) -> Path:
    import h5py

    path = hdf5(folder)
    with h5py.File(path, "a") as file:
        file["minc-2.0/other"] = h5py.ExternalLink("/etc/passwd", "/")
    return path


@maker
def minc2_link_loop(folder: Path) -> Path:
    import h5py

    path = hdf5(folder)
    with h5py.File(path, "a") as file:
        file["minc-2.0/loop"] = h5py.SoftLink("/minc-2.0/loop")
    return path


@maker
def minc2_hard_loop(folder: Path) -> Path:
    import h5py

    path = hdf5(folder)
    with h5py.File(path, "a") as file:
        file["minc-2.0/again"] = file["minc-2.0"]
    return path


@maker
def minc2_claims_too_much(folder: Path) -> Path:
    return hdf5(folder, shape=(2000, 2000, 2000), chunks=(64, 64, 64))


@maker
def minc2_not_minc(folder: Path) -> Path:
    import h5py

    with h5py.File(folder / "scan.mnc", "w") as file:
        file["kspace"] = np.arange(10)
    return folder / "scan.mnc"


@maker
def minc2_cut(folder: Path) -> Path:
    content = hdf5(folder, data=head((4, 5, 6)), shape=None).read_bytes()
    return put(folder / "scan.mnc", content[: len(content) // 2])


@maker
def no_scan_at_all(folder: Path) -> Path:
    return put(folder / "notes.txt", b"patient moved during the second scan\n")
