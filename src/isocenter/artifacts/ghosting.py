"""Ghosts: every n-th k-space line is weaker, or inverted.

Periodic change of the signal (pulsation, breathing) repeats the head along one axis.  In the
preset ``rad-iqmri`` the repetition is added to the image: one displaced replica, the structured
coloured artifact of Liu et al., IEEE Trans. Image Process., 2016, "The relative impact of
ghosting and noise on the perceived quality of MR images".
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Complex128
from torch import Tensor

from isocenter.artifacts._draw import choice, integer, uniform, usable_axes
from isocenter.artifacts._energy import ENERGY, add, draw_shift, shifted
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops.fourier import apply_along, line_operator

__all__ = ["apply", "draw"]

SHARE = {1: (0.25, 0.4), 2: (0.5, 0.7), 3: (0.9, 1.1), 4: (1.4, 1.8)}
"""Share of the amplitude taken from every n-th line, preset ``physical``."""
EVERY = (2, 8)
KEPT = (0.02, 0.05)
"""Share of the lines, in the centre of k-space, that is left alone."""
PUBLISHED_SHARE = {1: (0.8, 1.0), 2: (1.5, 1.7), 3: (2.5, 2.7), 4: (5.0, 5.2)}
PUBLISHED_EVERY = {1: (3, 5), 2: (5, 7), 3: (10, 12), 4: (20, 22)}


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the weakened lines.

    Preset ``physical``: every n-th line from a drawn first one, n = 2 to 8, along a drawn
    axis; 2 to 5 % of the lines around the centre stay. Preset ``hsfnet-2025``: as TorchIO's
    ``RandomGhosting`` with the published ranges; only the central line stays. Preset
    ``rad-iqmri``: the level's energy, a drawn axis, and a displacement of 15 to 40 % of the
    object's length along it.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"``, ``"hsfnet-2025"`` or ``"rad-iqmri"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level.
        BadVolume: A single voxel.
    """
    check_level("ghosting", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    if preset == "rad-iqmri":
        return base | {"energy": ENERGY[level], **draw_shift(volume, rng)}
    axis = choice(rng, usable_axes(volume))
    n_lines = volume.shape[axis]
    if preset == "hsfnet-2025":
        return base | {
            "axis": axis,
            "every": integer(rng, *PUBLISHED_EVERY[level]),
            "first": 0,
            "share": uniform(rng, *PUBLISHED_SHARE[level]),
            "kept": 1,
        }
    every = min(integer(rng, *EVERY), n_lines)
    return base | {
        "axis": axis,
        "every": every,
        "first": integer(rng, 0, every - 1),
        "share": uniform(rng, *SHARE[level]),
        "kept": max(1, round(n_lines * uniform(rng, *KEPT))),
    }


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Weaken the drawn lines, or add the displaced replica (``rad-iqmri``).

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned; ``energy`` is a fraction of the object's
            brightness squared, ``shift`` in voxels.

    Returns:
        Image of the same shape: real part (``hsfnet-2025``), else magnitude.
    """
    if params["level"] == 0:
        return volume.data
    if params["preset"] == "rad-iqmri":
        return add(volume, shifted(volume.data, params), params)
    axis = int(params["axis"])
    operator = line_operator(_line_weights(volume.shape[axis], params))
    data = volume.data.contiguous()
    real = apply_along(operator.real.to(data), data, axis)
    if params["preset"] == "hsfnet-2025":
        return real
    return torch.hypot(real, apply_along(operator.imag.to(data), data, axis), out=real)


def _line_weights(n_lines: int, params: Mapping[str, Any]) -> Complex128[Tensor, " lines"]:
    weights = torch.ones(n_lines, dtype=torch.complex128)
    weights[int(params["first"]) :: int(params["every"])] = 1 - params["share"]
    start = n_lines // 2 - int(params["kept"]) // 2
    weights[start : start + int(params["kept"])] = 1
    return weights
