"""Classical restorers beside BART, SigPy and pygrappa, on a phantom and on real k-space."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter import registry
from isocenter.data.io import read_kspace, write_cfl
from isocenter.data.kspace import KSpace, Mask
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.ops.fourier import ifft
from isocenter.restorers import acquire

needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


@pytest.fixture(scope="module")
def phantom() -> KSpace:
    """A head in six coils, half of its columns, true maps."""
    return acquire(
        head_phantom((64, 72, 3), scale=1.0),
        mask="random",
        acceleration=2.0,
        acs=20,
        n_coils=6,
        noise=0.005,
        plane="axial",
        slices=(1, 2),
        keep_maps=True,
        rng=generator(4),
    )


def real(root: Path, folder: Path) -> KSpace:
    """The real head in eight coils with BART's maps."""
    data = torch.from_numpy(np.load(root / "kspace" / "brain_8coil_poisson.npy"))[None]
    kspace = KSpace(data, Mask((data != 0).any(1)), np.eye(4))
    write_cfl(kspace, folder / "kspace")
    call(folder, "ecalib", "-m", "1", "kspace", "maps")
    with_maps = read_kspace(folder / "kspace.cfl", maps=folder / "maps.cfl")
    return dataclasses.replace(kspace, maps=with_maps.maps)


def call(folder: Path, *words: str) -> None:
    # Its threads wait for each other by spinning.
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(["bart", *words], cwd=folder, check=True, capture_output=True, env=alone)


def pics(kspace: KSpace, folder: Path, *words: str) -> Tensor:
    """What BART makes of one slice, its data not scaled."""
    assert kspace.maps is not None
    write_cfl(kspace, folder / "y")
    write_cfl(kspace.maps, folder / "s")
    call(folder, "pics", *words, "-w", "1", "y", "s", "x")
    return read_kspace(folder / "x.cfl").data[0, 0]


def ours(name: str, kspace: KSpace, weight: float, **options: object) -> Tensor:
    """Our image; the weight in units of the data, as peers have it."""
    module = registry.restorers.get(name)
    chosen = module.Options(weight=weight / brightness(kspace), **options)
    image: Tensor = module.reconstruct(kspace, chosen, rng=generator(0), progress=None).image[0]
    return image


def brightness(kspace: KSpace) -> float:
    module = registry.restorers.get("zero_filled")
    result = module.reconstruct(kspace, module.Options(), rng=generator(0), progress=None)
    return float(result.facts["scale"][0])


def distance(image: Tensor, other: Tensor) -> float:
    return float((image - other).norm() / other.norm())


@needs_bart
def test_sense_is_barts(phantom: KSpace, tmp_path: Path) -> None:
    theirs = pics(phantom, tmp_path, "-l2", "-r", "0.01", "-i", "100")
    module = registry.restorers.get("sense")
    options = module.Options(weight=0.01, n_iterations=100, tolerance=1e-6)
    image = module.reconstruct(phantom, options, rng=generator(0), progress=None).image[0]
    assert distance(image, theirs) < 1e-3


@needs_bart
def test_total_variation_is_barts(phantom: KSpace, tmp_path: Path) -> None:
    theirs = pics(phantom, tmp_path, "-R", "T:3:0:0.003", "-i", "200")
    assert distance(ours("tv", phantom, 0.003, n_iterations=300), theirs) < 0.01


@needs_bart
def test_wavelets_are_barts(phantom: KSpace, tmp_path: Path) -> None:
    theirs = pics(phantom, tmp_path, "-n", "-R", "W:3:0:0.003", "-i", "100")
    image = ours("l1_wavelet", phantom, 0.003, n_iterations=100, shifts=False)
    assert distance(image, theirs) < 0.02


@needs_bart
@pytest.mark.data
def test_wavelets_are_barts_on_a_real_head(data_root: Path, tmp_path: Path) -> None:
    """Same maps, same weight; BART's wavelet (dau2), its shifts off, its data not scaled.

    With shifts BART's image after 60 iterations and after 61 differ by more than this.
    """
    kspace = real(data_root, tmp_path)
    for weight in (0.003, 0.01):
        theirs = pics(kspace, tmp_path, "-n", "-R", f"W:3:0:{weight}", "-i", "60")
        image = ours("l1_wavelet", kspace, weight, wavelet="db2", shifts=False)
        # On sides that are no multiples of 4 BART's transform has a constant phase of its own.
        turn = torch.sgn(torch.vdot(theirs.flatten(), image.flatten()))
        assert distance(image, turn * theirs) < 0.02


def test_sense_is_sigpys(phantom: KSpace) -> None:
    app = pytest.importorskip("sigpy.mri.app", reason="sigpy is not installed")
    assert phantom.maps is not None
    y, maps = phantom.data[0].numpy(), phantom.maps[0, 0].numpy()
    theirs = app.SenseRecon(y, maps, 0.01, max_iter=100, show_pbar=False).run()
    module = registry.restorers.get("sense")
    options = module.Options(weight=0.01, n_iterations=100, tolerance=1e-6)
    image = module.reconstruct(phantom, options, rng=generator(0), progress=None).image[0]
    assert distance(image, torch.from_numpy(theirs)) < 1e-3


def test_total_variation_is_as_low_as_sigpys(phantom: KSpace) -> None:
    """SigPy counts both directions apart, so images differ and each is best by its own count."""
    app = pytest.importorskip("sigpy.mri.app", reason="sigpy is not installed")
    assert phantom.maps is not None
    y, maps = phantom.data[0].numpy(), phantom.maps[0, 0].numpy()
    theirs = app.TotalVariationRecon(y, maps, 0.003, max_iter=300, show_pbar=False).run()
    assert distance(ours("tv", phantom, 0.003, n_iterations=300), torch.from_numpy(theirs)) < 0.03


def test_wavelets_are_near_sigpys(phantom: KSpace) -> None:
    """Its wavelets end at the border and stand elsewhere: shifts make up for that."""
    app = pytest.importorskip("sigpy.mri.app", reason="sigpy is not installed")
    assert phantom.maps is not None
    y, maps = phantom.data[0].numpy(), phantom.maps[0, 0].numpy()
    theirs = app.L1WaveletRecon(y, maps, 0.003, max_iter=100, show_pbar=False).run()
    image = ours("l1_wavelet", phantom, 0.003, wavelet="db4", n_iterations=100)
    assert distance(image, torch.from_numpy(theirs)) < 0.05


def test_grappa_is_pygrappas() -> None:
    """Every second column: both kernels stand on the two columns beside the missing one."""
    pygrappa = pytest.importorskip("pygrappa", reason="pygrappa is not installed")
    full = acquire(
        head_phantom((48, 56, 3), scale=1.0),
        mask="full",
        n_coils=4,
        noise=0.005,
        plane="axial",
        slices=(1, 2),
        rng=generator(1),
    )
    columns = torch.arange(full.grid[1])
    centre = (columns - full.grid[1] // 2 + 10).clamp(0, 20) == columns - full.grid[1] // 2 + 10
    places = ((columns % 2 == 0) | centre).expand(1, *full.grid)
    kspace = dataclasses.replace(full, data=full.data * places[:, None], mask=Mask(places))
    block = full.data[0][:, :, centre].permute(1, 2, 0).numpy()
    theirs = pygrappa.grappa(kspace.data[0].permute(1, 2, 0).numpy(), block, (5, 3), -1, 1e-6)
    module = registry.restorers.get("grappa")
    options = module.Options(n_rows=5, n_columns=2, weight=1e-6)
    image = module.reconstruct(kspace, options, rng=generator(0), progress=None).image[0].abs()
    coils = ifft(torch.from_numpy(theirs).permute(2, 0, 1).to(torch.complex64), (-2, -1))
    # Rows beyond the edge are zeros to us and another pattern to pygrappa.
    assert distance(image, coils.norm(dim=0)) < 0.01
