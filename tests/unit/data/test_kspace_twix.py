"""Siemens raw data: the real files of the collection, also with their bytes changed."""

from __future__ import annotations

import builtins
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from isocenter.data.io import read, read_kspace, to_scan
from isocenter.data.io.kspace._lines import Grid
from isocenter.data.io.kspace._twix_file import looks_like_twix, refuse_damaged
from isocenter.data.io.kspace._twix_protocol import placed, protocol_of
from isocenter.errors import BadKSpace, BadVolume, MissingExtra
from isocenter.ops.fourier import ifft

HEADER, CHANNEL = 192, 32
FLAGS, SAMPLES, LINE, AVERAGE, REPETITION = 40, 48, 52, 54, 64
NOISE, CALIBRATION, CALIBRATION_AND_IMAGING = 1 << 25, 1 << 22, 1 << 23


def blocks(content: bytes) -> list[int]:
    """Where the readouts of the one measurement begin."""
    start = struct.unpack_from("<Q", content, 16)[0]
    place = start + struct.unpack_from("<I", content, start)[0]
    found = []
    while not content[place + FLAGS] & 1:
        found.append(place)
        n_samples, n_coils = struct.unpack_from("<HH", content, place + SAMPLES)
        place += HEADER + n_coils * (CHANNEL + 8 * n_samples)
    return found


def changed(source: Path, target: Path, change: dict[int, list[tuple[int, str, int]]]) -> Path:
    """The file with numbers of some blocks' headers set: offset, format, value."""
    content = bytearray(source.read_bytes())
    places = blocks(bytes(content))
    for number, edits in change.items():
        for offset, form, value in edits:
            struct.pack_into(form, content, places[number] + offset, value)
    target.write_bytes(content)
    return target


@pytest.fixture
def gre(data_root: Path) -> Path:
    return data_root / "kspace" / "phantom_gre.dat"


@pytest.mark.data
def test_the_phantom_is_where_its_protocol_says(gre: Path) -> None:
    kspace = read_kspace(gre)
    assert kspace.data.shape == (1, 2, 320, 160)
    assert kspace.image_shape == (160, 160)
    assert kspace.mask.true_acceleration == 1
    scan = to_scan(ifft(kspace.data, (-2, -1)).abs().square().sum(1).sqrt(), kspace)
    assert scan.shape == (160, 160, 1)
    assert scan.spacing == pytest.approx((1.25, 1.25, 4), rel=1e-4)
    # The slice's centre: 2.59 mm to the right, 53.9 mm to the back, 54.0 mm down.
    middle = scan.affine[:3] @ [80, 80, 0, 1]
    np.testing.assert_allclose(middle, [2.5897, -53.9224, -53.9995], atol=1.3)
    assert kspace.history[0].params["field_strength"] == pytest.approx(2.894, abs=1e-3)


@pytest.mark.data
def test_the_phantom_is_a_disc_in_empty_air(gre: Path) -> None:
    kspace = read_kspace(gre)
    scan = to_scan(ifft(kspace.data, (-2, -1)).abs().square().sum(1).sqrt(), kspace)
    image = scan.data[..., 0]
    corners = torch.stack([image[:16, :16], image[:16, -16:], image[-16:, :16], image[-16:, -16:]])
    assert image[60:100, 100:130].mean() > 8 * corners.mean()
    bright = (image > 0.3 * image.max()).nonzero().float()
    assert bright.mean(0).tolist() == pytest.approx([80, 80], abs=12)


@pytest.mark.data
def test_the_epi_is_read_without_its_corrections_and_says_so(data_root: Path) -> None:
    kspace = read_kspace(data_root / "kspace" / "phantom_epi.dat")
    assert kspace.data.shape == (1, 2, 160, 80)
    assert kspace.mask.true_acceleration == 1
    assert "EPI: neither ramp sampling nor" in str(kspace.history[0].params["warnings"])
    image = ifft(kspace.data, (-2, -1)).abs().square().sum(1).sqrt()[0, 40:120]
    assert image[30:50, 20:60].mean() > 3 * image[:, :3].mean()


@pytest.mark.data
def test_an_image_reader_names_the_command(gre: Path) -> None:
    with pytest.raises(BadVolume, match="this is k-space"):
        read(gre)


@pytest.mark.data
def test_noise_and_calibration_are_no_lines(gre: Path, tmp_path: Path) -> None:
    edits = {
        3: [(FLAGS, "<Q", NOISE)],
        4: [(FLAGS, "<Q", CALIBRATION)],
        5: [(FLAGS, "<Q", CALIBRATION | CALIBRATION_AND_IMAGING)],
    }
    whole, kspace = read_kspace(gre), read_kspace(changed(gre, tmp_path / "a.dat", edits))
    missing = (~kspace.mask.places[0].any(0)).nonzero().flatten().tolist()
    assert missing == [3, 4]
    assert kspace.noise is not None
    assert torch.equal(kspace.noise, whole.data[0, :, :, 3])


@pytest.mark.data
def test_a_repeated_line_is_averaged(gre: Path, tmp_path: Path) -> None:
    edits = {7: [(LINE, "<H", 6), (AVERAGE, "<H", 1)]}
    whole, kspace = read_kspace(gre), read_kspace(changed(gre, tmp_path / "a.dat", edits))
    mean = (whole.data[..., 6] + whole.data[..., 7]) / 2
    torch.testing.assert_close(kspace.data[..., 6], mean)
    assert not kspace.mask.places[..., 7].any()
    assert kspace.history[0].params["n_averages"] == 2


@pytest.mark.data
def test_a_repetition_is_chosen(gre: Path, tmp_path: Path) -> None:
    path = changed(gre, tmp_path / "a.dat", {7: [(REPETITION, "<H", 1)]})
    kspace = read_kspace(path, volume=1)
    assert kspace.mask.places[0].any(0).nonzero().flatten().tolist() == [7]


@pytest.mark.data
@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_a_cut_file_is_refused(gre: Path, tmp_path: Path, share: float) -> None:
    content = gre.read_bytes()
    (tmp_path / "a.dat").write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadKSpace, match="ends early"):
        read_kspace(tmp_path / "a.dat")


@pytest.mark.data
def test_a_block_that_leads_out_of_the_file_is_refused(gre: Path, tmp_path: Path) -> None:
    path = changed(gre, tmp_path / "a.dat", {9: [(SAMPLES, "<H", 65535)]})
    with pytest.raises(BadKSpace, match="ends early or is damaged"):
        read_kspace(path)


def endless(path: Path) -> Path:
    """One measurement whose only block waits for nothing and has no length."""
    start = 10240
    content = bytearray(start + 4096)
    struct.pack_into("<II", content, 0, 0, 1)
    struct.pack_into("<QQ", content, 16, start, 4096)
    struct.pack_into("<II", content, start, 64, 1)
    struct.pack_into("<I", content, start + 64 + FLAGS, 1 << 5)
    path.write_bytes(content)
    return path


def test_a_block_without_length_does_not_keep_us_for_ever(tmp_path: Path) -> None:
    path = endless(tmp_path / "a.dat")
    assert looks_like_twix(path.read_bytes()[:1024], path)
    with pytest.raises(BadKSpace, match="a block of 0 bytes"):
        refuse_damaged(path)


def test_without_the_package_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def refusing(name: str, *rest: object, **more: object) -> object:
        if name == "twixtools":
            raise ImportError(name)
        return original(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refusing)
    with pytest.raises(MissingExtra, match=r"pip install 'isocenter\[twix\]'"):
        read_kspace(endless(tmp_path / "a.dat"))


def protocol(**changes: object) -> dict[str, object]:
    lines = {
        "ucTrajectory": 1,
        "ucDimension": 2,
        "lBaseResolution": 64,
        "lPhaseEncodingLines": 60,
        "lPartitions": 10,
    } | changes
    slices = [{"dThickness": 30.0, "dPhaseFOV": 100.0, "dReadoutFOV": 128.0}]
    return {"MeasYaps": {"sKSpace": lines, "sSliceArray": {"asSlice": slices}}, "Meas": {}}


def block(counter: int, position: tuple[float, float, float]) -> SimpleNamespace:
    place = SimpleNamespace(**dict(zip(("Sag", "Cor", "Tra"), position, strict=True)))
    data = SimpleNamespace(SlicePos=place, Quaternion=np.array([1.0, 0, 0, 0]))
    return SimpleNamespace(
        mdh=SimpleNamespace(Counter=SimpleNamespace(Sli=counter), SliceData=data)
    )


def grid(n_partitions: int, n_slices: int) -> Grid:
    return Grid(128, 60, n_partitions, 30, n_partitions // 2, 2, n_slices, 64)


def test_oversampling_of_both_phase_encodes_ends_in_the_image_shape() -> None:
    said = protocol_of(
        protocol(ucDimension=4, dPhaseOversamplingForDialog=0.2, dSliceOversamplingForDialog=0.25)
    )
    solid = grid(10, 1)
    assert said.image_shape(solid) == (8, 50)
    # 128 mm on 64, 100 mm and a fifth on 60, 30 mm and a quarter on 10.
    assert said.sizes(solid) == pytest.approx((2, 2, 3.75))


def test_slices_are_ordered_by_place_and_not_by_counter() -> None:
    stack = [block(0, (0, 0, 10)), block(1, (0, 0, -10)), block(2, (0, 0, 0))]
    found = placed(stack, protocol_of(protocol()), grid(1, 3))
    assert found.rank == {1: 0, 2: 1, 0: 2}
    np.testing.assert_allclose(found.affine[:3, 0], [0, 0, 10])
    np.testing.assert_allclose(found.affine[:3] @ [0, 64, 30, 1], [0, 0, -10])


def test_a_slab_is_centred_on_its_position() -> None:
    found = placed([block(0, (5, 6, 7))], protocol_of(protocol(ucDimension=4)), grid(10, 1))
    np.testing.assert_allclose(found.affine[:3] @ [32, 5, 30, 1], [-5, -6, 7])
    assert np.linalg.norm(found.affine[:3, :3], axis=0).tolist() == pytest.approx([2, 3, 5 / 3])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"ucTrajectory": 2}, "only Cartesian"), ({"lBaseResolution": ""}, "no base resolution")],
)
def test_what_cannot_be_placed_is_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadKSpace, match=sentence):
        protocol_of(protocol(**change))
