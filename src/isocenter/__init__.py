"""How good an MR scan is, what is wrong with it, and how to make it better.

>>> import isocenter as iso
>>> report = iso.assess("scan.nii.gz")            # doctest: +SKIP
>>> report.score, report.found                    # doctest: +SKIP

Names are imported when they are first used, so that ``import isocenter`` is instant.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from isocenter.version import __version__ as __version__

if TYPE_CHECKING:
    from isocenter.artifacts import artifact as artifact
    from isocenter.artifacts import replay as replay
    from isocenter.assessors import assess as assess
    from isocenter.data.io import read as read
    from isocenter.data.io import read_kspace as read_kspace
    from isocenter.data.io import write as write
    from isocenter.data.kspace import KSpace as KSpace
    from isocenter.data.random import child as child
    from isocenter.data.random import generator as generator
    from isocenter.data.scores import QualityReport as QualityReport
    from isocenter.data.volume import Volume as Volume
    from isocenter.errors import IsocenterError as IsocenterError
    from isocenter.measures import measure as measure
    from isocenter.reports import report as report
    from isocenter.restorers import acquire as acquire
    from isocenter.restorers import restore as restore

_HOME = {
    "IsocenterError": "isocenter.errors",
    "KSpace": "isocenter.data.kspace",
    "QualityReport": "isocenter.data.scores",
    "Volume": "isocenter.data.volume",
    "acquire": "isocenter.restorers",
    "artifact": "isocenter.artifacts",
    "assess": "isocenter.assessors",
    "child": "isocenter.data.random",
    "generator": "isocenter.data.random",
    "measure": "isocenter.measures",
    "read": "isocenter.data.io",
    "read_kspace": "isocenter.data.io",
    "replay": "isocenter.artifacts",
    "report": "isocenter.reports",
    "restore": "isocenter.restorers",
    "write": "isocenter.data.io",
}

__all__ = sorted(_HOME)  # noqa: PLE0605  (one list, two uses)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'isocenter' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
