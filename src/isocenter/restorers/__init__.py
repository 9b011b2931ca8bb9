"""From k-space to a scan, and from a scan to a better one: one method, one file.

A file ``NAME.py`` of this folder that takes k-space has

- ``Options``: a frozen dataclass; its defaults are what ``isocenter reconstruct --method NAME``
  does, its docstring says what each means;
- ``reconstruct(kspace, options, *, rng, progress) -> Restored``: ``rng`` is a generator also
  where nothing is drawn, ``progress`` may be ``None``; coil maps are there (see
  ``_calibrated.py``) if the file says ``NEEDS_MAPS = True``.

``NEEDS_WEIGHTS = True`` says that the user has to name a file of weights: none ship.

One that takes a scan of thick slices has

- ``Options``: a frozen dataclass; its defaults are what ``isocenter enhance`` does;
- ``enhance(scan, options, *, rng, progress) -> Enhanced``: a :class:`~isocenter.Volume` in, thin
  slices out, with the deviation of their error where the method knows one.

:data:`isocenter.registry.restorers` finds it by its name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.restorers._acquire import acquire as acquire
    from isocenter.restorers._acquire import reference as reference
    from isocenter.restorers._checks import check as check
    from isocenter.restorers._enhance import enhance as enhance
    from isocenter.restorers._enhance import scan_restorers as scan_restorers
    from isocenter.restorers._enhanced import Checked as Checked
    from isocenter.restorers._enhanced import Enhanced as Enhanced
    from isocenter.restorers._fidelity import fidelity as fidelity
    from isocenter.restorers._reconstruct import Reconstruction as Reconstruction
    from isocenter.restorers._reconstruct import kspace_restorers as kspace_restorers
    from isocenter.restorers._reconstruct import options_of as options_of
    from isocenter.restorers._reconstruct import reconstruct as reconstruct
    from isocenter.restorers._restore import restore as restore
    from isocenter.restorers._undersample import fully_sampled as fully_sampled
    from isocenter.restorers._undersample import undersample as undersample

_PLACES = {
    "Checked": "_enhanced",
    "Enhanced": "_enhanced",
    "Reconstruction": "_reconstruct",
    "acquire": "_acquire",
    "check": "_checks",
    "enhance": "_enhance",
    "fidelity": "_fidelity",
    "fully_sampled": "_undersample",
    "kspace_restorers": "_reconstruct",
    "options_of": "_reconstruct",
    "reconstruct": "_reconstruct",
    "reference": "_acquire",
    "restore": "_restore",
    "scan_restorers": "_enhance",
    "undersample": "_undersample",
}

__all__ = sorted(_PLACES)  # noqa: PLE0605  (one list, two uses)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'isocenter.restorers' has no attribute {name!r}")
    return getattr(importlib.import_module(f"isocenter.restorers.{_PLACES[name]}"), name)
