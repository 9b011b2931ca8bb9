"""``isocenter doctor``: can scans be assessed here, and with what."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import isocenter

__all__ = ["doctor"]

PACKAGES = ("torch", "numpy", "scipy", "numba", "nibabel", "pydicom", "h5py", "isal")
NEEDED_MEMORY = 1_500_000_000
"""Bytes that assessing one scan may take."""


@dataclass(frozen=True)
class Check:
    """One line of the answer."""

    name: str
    told: str
    code: int = 0
    """Exit code that this line asks for; 0 when all is well."""


def doctor() -> int:
    """Check this installation."""
    checks = list(_checks())
    width = max(len(check.name) for check in checks)
    for check in checks:
        print(f"{'ok ' if check.code == 0 else 'BAD'} {check.name:<{width}}  {check.told}")
    worst = next((code for code in (5, 6, 1) if any(c.code == code for c in checks)), 0)
    print("\nall well" if worst == 0 else "\nscans cannot be assessed here until BAD is mended")
    return worst


def _checks() -> Iterator[Check]:
    python = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Check("isocenter", f"{isocenter.__version__} in {Path(isocenter.__file__).parent}")
    yield Check("python", python, 0 if sys.version_info >= (3, 11) else 1)
    yield from map(_package, PACKAGES)
    yield _device()
    yield _decoders()
    yield from _weights()
    yield _memory()
    yield _kernels()
    yield _here()


def _package(name: str) -> Check:
    try:
        return Check(name, version(name))
    except PackageNotFoundError:
        return Check(name, "not installed: pip install isocenter again", 1)


def _device() -> Check:
    try:
        import torch
    except ImportError as error:
        return Check("device", f"torch cannot be imported ({error})", 1)
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"
    if not torch.cuda.is_available():
        return Check("device", f"cpu, {threads}; no CUDA device")
    return Check("device", f"cuda ({torch.cuda.get_device_name()}), {threads}")


def _decoders() -> Check:
    """Compressed DICOM is optional, so a missing decoder is told and not held bad."""
    from pydicom import uid
    from pydicom.pixels.decoders.base import get_decoder

    syntaxes = {
        "JPEG": uid.JPEGBaseline8Bit,
        "JPEG-LS": uid.JPEGLSLossless,
        "JPEG 2000": uid.JPEG2000Lossless,
        "RLE": uid.RLELossless,
    }
    able = {name: get_decoder(syntax).is_available for name, syntax in syntaxes.items()}
    told = ", ".join(f"{name} {'yes' if can else 'no'}" for name, can in able.items())
    cure = "" if all(able.values()) else "; pip install 'isocenter[dicom]' adds the others"
    return Check("compressed DICOM", told + cure)


def _weights() -> Iterator[Check]:
    """Every shipped file is read and compared with its checksum."""
    from isocenter.data.checkpoint import Checkpoint
    from isocenter.errors import BadCheckpoint

    files = sorted((Path(isocenter.__file__).parent / "weights").glob("*.safetensors"))
    if not files:
        yield Check("weights", "none are installed: pip install isocenter again", 5)
    for file in files:
        try:
            digest = Checkpoint.load(file).sha256 or ""
            yield Check("weights", f"{file.stem}, sha256 {digest[:16]}, checksum right")
        except BadCheckpoint as error:
            yield Check("weights", str(error), 5)


def _memory() -> Check:
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return Check("memory", "unknown on this system")
    told = f"{total / 1e9:.1f} GB, {free / 1e9:.1f} GB free"
    if total >= NEEDED_MEMORY:
        return Check("memory", told)
    return Check("memory", f"{told}; one scan may take {NEEDED_MEMORY / 1e9:.1f} GB", 6)


def _kernels() -> Check:
    """Compiled kernels are kept in a cache, or compiled anew in every run."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    beside = Path(isocenter.__file__).parent / "ops"
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    places = [Path(given)] if given else [beside, own]
    for place in places:
        there = next((p for p in (place, *place.parents) if p.exists()), place)
        if os.access(there, os.W_OK | os.X_OK):
            return Check("kernel cache", str(place))
    return Check("kernel cache", "nowhere writable: set NUMBA_CACHE_DIR to a folder that is", 6)


def _here() -> Check:
    told = str(Path.cwd())
    writable = os.access(told, os.W_OK | os.X_OK)
    return Check("this folder", told if writable else f"{told} is read-only: use --out")
