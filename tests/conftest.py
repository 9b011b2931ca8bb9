"""What every test stands on: checked shapes, no network, repeatable chance, real data."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import jaxtyping
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "isocenter"


def checked_modules() -> list[str]:
    """Modules whose signatures beartype checks: all but compiled kernels.

    The hook takes a name as a prefix, so a package that holds kernels is left out and its
    other modules are named one by one.
    """
    files = [file for file in PACKAGE.rglob("*.py") if not file.stem.startswith("_kernels")]
    with_kernels = {file.parent for file in PACKAGE.rglob("_kernels*.py")} | {PACKAGE}
    with_kernels |= {parent for folder in with_kernels for parent in folder.parents}
    return sorted(_dotted(file) for file in files if _names_itself_alone(file, with_kernels))


def _names_itself_alone(file: Path, with_kernels: set[Path]) -> bool:
    return file.stem != "__init__" or file.parent not in with_kernels


def _dotted(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


jaxtyping.install_import_hook(checked_modules(), "typechecker.checked")

hypothesis.settings.register_profile(
    "repeatable", derandomize=True, database=None, deadline=None, max_examples=20, print_blob=True
)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=300)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def real_data() -> Path:
    """Where the collection of real scans would be."""
    return Path(os.environ.get("ISOCENTER_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The collection of real scans; a test that asks for it is skipped where it is not."""
    place = real_data()
    if not (place / "MANIFEST.tsv").is_file():
        pytest.skip(f"no real scans at {place}: set ISOCENTER_DATA")
    return place


def pytest_configure(config: pytest.Config) -> None:
    import torch

    # Tests that run side by side share the two cores that every timing here is meant for.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    torch.set_num_threads(max(1, min(2, os.cpu_count() or 1) // workers))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    import torch

    absent = {} if torch.cuda.is_available() else {"gpu": "no CUDA device"}
    if not (real_data() / "MANIFEST.tsv").is_file():
        absent["data"] = f"no real scans at {real_data()}: set ISOCENTER_DATA"
    for item in items:
        for marker, reason in absent.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
