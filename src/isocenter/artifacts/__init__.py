"""Known damage, of a known level, done to a scan.

Each artifact is one file with ``draw`` (all chance) and ``apply`` (none); the file's name is
the artifact's name, and :data:`isocenter.registry.artifacts` finds it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from isocenter.artifacts._presets import PRESETS, preset_names, versions

if TYPE_CHECKING:
    from isocenter.artifacts._artifact import Artifact as Artifact
    from isocenter.artifacts._artifact import artifact as artifact
    from isocenter.artifacts._artifact import replay as replay
    from isocenter.artifacts._low_field_scan import LowField as LowField
    from isocenter.artifacts._low_field_scan import low_field_scan as low_field_scan
    from isocenter.artifacts._snr_prior import SNR_PRIORS as SNR_PRIORS
    from isocenter.artifacts._snr_prior import SnrPrior as SnrPrior
    from isocenter.artifacts._snr_prior import fit_prior as fit_prior
    from isocenter.artifacts._snr_prior import snr_prior as snr_prior
    from isocenter.artifacts._tissue import segment_tissue as segment_tissue
    from isocenter.artifacts._tissue import tissue_maps_from_files as tissue_maps_from_files
    from isocenter.artifacts._version import PRISTINE as PRISTINE
    from isocenter.artifacts._version import Version as Version
    from isocenter.artifacts._version import benchmark_versions as benchmark_versions
    from isocenter.artifacts._version import make_version as make_version

__all__ = [
    "PRESETS",
    "PRISTINE",
    "SNR_PRIORS",
    "Artifact",
    "LowField",
    "SnrPrior",
    "Version",
    "artifact",
    "benchmark_versions",
    "fit_prior",
    "low_field_scan",
    "make_version",
    "preset_names",
    "replay",
    "segment_tissue",
    "snr_prior",
    "tissue_maps_from_files",
    "versions",
]

_PLACES = dict.fromkeys(("Artifact", "artifact", "replay"), "_artifact")
_PLACES |= dict.fromkeys(("LowField", "low_field_scan"), "_low_field_scan")
_PLACES |= dict.fromkeys(("SNR_PRIORS", "SnrPrior", "fit_prior", "snr_prior"), "_snr_prior")
_PLACES |= dict.fromkeys(("segment_tissue", "tissue_maps_from_files"), "_tissue")
_PLACES |= dict.fromkeys(("PRISTINE", "Version", "benchmark_versions", "make_version"), "_version")


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'isocenter.artifacts' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.artifacts.{_PLACES[name]}"), name)
