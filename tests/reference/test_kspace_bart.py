"""Pairs that BART writes and reads: its phantom lies where BART's own transform puts it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from isocenter.data.io import read_kspace, write_cfl
from isocenter.ops.fourier import ifft

pytestmark = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


def bart(folder: Path, *words: str) -> None:
    subprocess.run(["bart", *words], cwd=folder, check=True, capture_output=True)


def test_a_phantom_of_coils_transforms_as_in_bart(tmp_path: Path) -> None:
    bart(tmp_path, "phantom", "-x", "48", "-s", "6", "-k", "kspace")
    bart(tmp_path, "fft", "-u", "-i", "3", "kspace", "image")
    kspace, expected = read_kspace(tmp_path / "kspace.cfl"), read_kspace(tmp_path / "image.cfl")
    assert kspace.data.shape == (1, 6, 48, 48)
    assert kspace.mask.true_acceleration == 1
    found = ifft(kspace.data, (-2, -1))
    scale = float(expected.data.abs().max())
    torch.testing.assert_close(found, expected.data, atol=1e-5 * scale, rtol=0)


def test_a_phantom_in_three_dimensions_transforms_as_in_bart(tmp_path: Path) -> None:
    bart(tmp_path, "phantom", "-3", "-x", "16", "-s", "3", "-k", "kspace")
    bart(tmp_path, "fft", "-u", "-i", "7", "kspace", "image")
    bart(tmp_path, "transpose", "0", "13", "image", "turned")  # readout to the slices
    bart(tmp_path, "transpose", "0", "2", "turned", "stack")
    kspace, expected = read_kspace(tmp_path / "kspace.cfl"), read_kspace(tmp_path / "stack.cfl")
    assert kspace.data.shape == expected.data.shape == (16, 3, 16, 16)
    found = ifft(kspace.data, (-2, -1))
    scale = float(expected.data.abs().max())
    torch.testing.assert_close(found, expected.data, atol=1e-5 * scale, rtol=0)


def test_bart_reads_what_is_written(tmp_path: Path) -> None:
    bart(tmp_path, "phantom", "-x", "32", "-s", "4", "-k", "kspace")
    kspace = read_kspace(tmp_path / "kspace.cfl")
    write_cfl(kspace, tmp_path / "again")
    bart(tmp_path, "nrmse", "-t", "0", "kspace", "again")


def test_maps_of_ecalib_fit_their_kspace(tmp_path: Path) -> None:
    bart(tmp_path, "phantom", "-x", "96", "-s", "4", "-k", "kspace")
    bart(tmp_path, "ecalib", "-m", "1", "kspace", "maps")
    kspace = read_kspace(tmp_path / "kspace.cfl", maps=tmp_path / "maps.cfl")
    assert kspace.maps is not None
    assert kspace.maps.shape == (1, 1, 4, 96, 96)
    images = ifft(kspace.data, (-2, -1))[:, None]
    combined = (kspace.maps.conj() * images).sum(2, keepdim=True)
    support = kspace.maps.abs().sum(2, keepdim=True) > 0
    residual = (images - kspace.maps * combined)[support.expand_as(images)].norm()
    assert residual < 0.05 * images.norm()
