"""Coil maps and CG-SENSE beside SigPy and BART."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from isocenter.data.kspace import Mask
from isocenter.ops.coils import espirit
from isocenter.ops.sense import Sense
from isocenter.ops.solvers import conjugate_gradient
from tests.kspace_phantom import CoilPhantom, coil_phantom, line_mask

SHAPE = (96, 88)
"""Both divisible by 4: else BART turns an image by half a turn."""
ACS = (24, 24)
RIDGE = 0.01


@pytest.fixture(scope="module")
def phantom() -> CoilPhantom:
    return coil_phantom(SHAPE, 6, noise=2e-3)


@pytest.fixture(scope="module")
def measured(phantom: CoilPhantom) -> Tensor:
    return phantom.kspace * line_mask(SHAPE, 3, 24)


def agreement(maps: Tensor, others: Tensor) -> Tensor:
    lengths = torch.linalg.vector_norm(maps, dim=0) * torch.linalg.vector_norm(others, dim=0)
    return (maps.conj() * others).sum(0).abs() / lengths.clamp_min(1e-12)


def has_map(maps: Tensor) -> Tensor:
    return maps.abs().sum(0) > 0


def bart(folder: Path, command: str, **inputs: Tensor) -> Tensor:
    """What ``bart`` writes to ``out``; names of inputs stand for their files."""
    if shutil.which("bart") is None:
        pytest.skip("bart is not installed: Debian's package is called so")
    for name, values in inputs.items():
        _write_cfl(folder / name, values.permute(1, 2, 0).unsqueeze(2).numpy())
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(["bart", *command.split()], cwd=folder, check=True, env=one_thread)
    grid = next(iter(inputs.values())).shape[-2:]
    return _read_cfl(folder / "out", grid)


def _write_cfl(path: Path, values: np.ndarray) -> None:
    sizes = " ".join(map(str, values.shape))
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{sizes}\n")
    path.with_suffix(".cfl").write_bytes(values.astype(np.complex64).tobytes(order="F"))


def _read_cfl(path: Path, shape: tuple[int, ...]) -> Tensor:
    """(coil, y, x), without the axes of length 1."""
    sizes = [int(n) for n in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    values = np.frombuffer(path.with_suffix(".cfl").read_bytes(), np.complex64)
    grid = values.reshape(sizes, order="F").reshape(*shape, -1, order="F")
    return torch.from_numpy(grid.transpose(2, 0, 1).copy())


def assert_alike(ours: Tensor, theirs: Tensor, phantom: CoilPhantom) -> None:
    """A few pixels at the border of the image fold and are undecided; there the truth decides."""
    head = phantom.image.abs() > 0.2
    alike = agreement(ours, theirs)[head]
    assert float(alike.mean()) > 0.999
    assert float(alike.quantile(0.01)) > 0.99
    truth = [agreement(maps, phantom.maps)[head] for maps in (ours, theirs)]
    assert float(truth[0].min()) >= float(truth[1].min()) - 0.01
    assert float((has_map(ours) == has_map(theirs)).float().mean()) > 0.99


def test_espirit_finds_the_maps_of_sigpy(phantom: CoilPhantom, measured: Tensor) -> None:
    sigpy = pytest.importorskip("sigpy.mri.app", reason="sigpy is not installed")
    app = sigpy.EspiritCalib(measured.numpy(), crop=0.9, max_iter=30, show_pbar=False)
    assert_alike(espirit(measured[None], ACS)[0, 0], torch.from_numpy(app.run()), phantom)


@pytest.mark.parametrize("n_sets", [1, 2])
def test_espirit_finds_the_maps_of_bart(
    phantom: CoilPhantom, measured: Tensor, tmp_path: Path, n_sets: int
) -> None:
    # BART compares squares of singular values with its threshold.
    command = f"ecalib -m{n_sets} -r24 -k6 -t0.0004 -c0.9 kspace out"
    theirs = bart(tmp_path, command, kspace=measured)[:6]
    assert_alike(espirit(measured[None], ACS, n_sets=n_sets)[0, 0], theirs, phantom)


def cg_sense(phantom: CoilPhantom, measured: Tensor, n_iterations: int) -> Tensor:
    sense = Sense(phantom.maps[None, None], line_mask(SHAPE, 3, 24)[None])
    return conjugate_gradient(
        lambda x: sense.normal(x) + RIDGE * x,
        sense.H(measured[None]),
        n_iterations=n_iterations,
    )[0, 0]


def test_cg_sense_is_that_of_sigpy(phantom: CoilPhantom, measured: Tensor) -> None:
    sigpy = pytest.importorskip("sigpy.mri.app", reason="sigpy is not installed")
    app = sigpy.SenseRecon(
        measured.numpy(), phantom.maps.numpy(), RIDGE, max_iter=12, show_pbar=False
    )
    theirs = torch.from_numpy(app.run())
    ours = cg_sense(phantom, measured, 12)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-3


def test_cg_sense_is_that_of_bart(phantom: CoilPhantom, measured: Tensor, tmp_path: Path) -> None:
    command = f"pics -l2 -r{RIDGE} -i60 -S -w1 kspace maps out"
    theirs = bart(tmp_path, command, kspace=measured, maps=phantom.maps)[0]
    ours = cg_sense(phantom, measured, 60)
    assert float((ours - theirs).norm() / theirs.norm()) < 1e-3


@pytest.mark.data
def test_maps_of_measured_coils_are_those_of_bart(data_root: Path, tmp_path: Path) -> None:
    kspace = torch.from_numpy(np.load(data_root / "kspace" / "brain_8coil_poisson.npy"))
    rows, columns = Mask((kspace != 0).any(0)[None]).acs
    side = min(rows, columns, 24)
    command = f"ecalib -m1 -r{side} -k6 -t0.0004 -c0.9 kspace out"
    theirs = bart(tmp_path, command, kspace=kspace)
    ours = espirit(kspace[None], (side, side))[0, 0]
    both = has_map(ours) & has_map(theirs)
    assert side >= 16
    assert float((has_map(ours) == has_map(theirs)).float().mean()) > 0.98
    assert float(agreement(ours, theirs)[both].mean()) > 0.99
