"""The stream of bytes under every reader: same bytes, same hash, no damage passes."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.data.io._stream import ByteStream
from isocenter.errors import BadVolume

CONTENT = np.random.default_rng(0).integers(0, 40, 700_000, np.uint8).tobytes()
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def put(folder: Path, content: bytes) -> Path:
    path = folder / "scan"
    path.write_bytes(content)
    return path


def members(content: bytes, n_members: int) -> bytes:
    step = -(-len(content) // n_members)
    return b"".join(gzip.compress(content[i : i + step]) for i in range(0, len(content), step))


@same_folder
@given(
    pieces=st.lists(st.integers(1, 300_000), min_size=1, max_size=6),
    n_members=st.sampled_from([0, 1, 2, 7]),
)
def test_bytes_come_in_order_however_asked_for(
    pieces: list[int], n_members: int, tmp_path: Path
) -> None:
    stored = members(CONTENT, n_members) if n_members else CONTENT
    with ByteStream(put(tmp_path, stored)) as stream:
        got = b"".join(stream.read(length) for length in pieces)
        assert got == CONTENT[: sum(pieces)]
        assert stream.passed == len(got)
        assert stream.finish() == hashlib.sha256(stored).hexdigest()


def test_skipped_and_read_bytes_follow_each_other(tmp_path: Path) -> None:
    with ByteStream(put(tmp_path, gzip.compress(CONTENT))) as stream:
        assert stream.skip(1000) == 1000
        assert stream.read(9) == CONTENT[1000:1009]
        assert stream.skip(10**9) == len(CONTENT) - 1009
        assert stream.read(1) == b""


def read_all(path: Path) -> bytes:
    with ByteStream(path) as stream:
        content = stream.read(len(CONTENT))
        stream.finish()
        return content


PACKED = gzip.compress(CONTENT[:60_000], mtime=0)


@same_folder
@given(place=st.integers(10, len(PACKED) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(place: int, bit: int, tmp_path: Path) -> None:
    damaged = bytearray(PACKED)
    damaged[place] ^= 1 << bit
    path = put(tmp_path, bytes(damaged))
    with pytest.raises(BadVolume, match="damaged|ends early"):
        read_all(path)


@same_folder
@given(length=st.integers(2, len(PACKED) - 1))
def test_no_cut_passes(length: int, tmp_path: Path) -> None:
    with pytest.raises(BadVolume, match="ends early"):
        read_all(put(tmp_path, PACKED[:length]))


def test_zeros_behind_gzip_are_padding(tmp_path: Path) -> None:
    with ByteStream(put(tmp_path, PACKED + bytes(512))) as stream:
        stream.read(60_000)
        stream.finish()
        assert stream.warnings == []


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (b"left over", "not gzip"),
        (PACKED, "second compressed part"),
        (b"\x1f", "not gzip"),
    ],
)
def test_what_follows_is_said(behind: bytes, said: str, tmp_path: Path) -> None:
    with ByteStream(put(tmp_path, PACKED + behind)) as stream:
        assert stream.read(60_000) == CONTENT[:60_000]
        stream.finish()
        assert said in stream.warnings[0]


def test_more_behind_the_image_than_a_record_is_refused(tmp_path: Path) -> None:
    with ByteStream(put(tmp_path, gzip.compress(bytes(20 << 20)))) as stream:
        stream.read(1000)
        with pytest.raises(BadVolume, match="more than 16 MB follow"):
            stream.finish()
