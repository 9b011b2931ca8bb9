"""From k-space to a scan, and from a scan to a better one: one method, one file.

A file ``NAME.py`` of this folder that takes k-space has

- ``Options``: a frozen dataclass; its defaults are what ``isocenter reconstruct --method NAME``
  does, its docstring says what each means;
- ``reconstruct(kspace, options, *, rng, progress) -> Restored``: ``rng`` is a generator also
  where nothing is drawn, ``progress`` may be ``None``; coil maps are there (see
  ``_calibrated.py``) if the file says ``NEEDS_MAPS = True``.

:data:`isocenter.registry.restorers` finds it by its name.
"""
