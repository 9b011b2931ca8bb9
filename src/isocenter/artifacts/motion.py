"""The head moves while k-space is acquired.

Between movements the head lies still in one position; the k-space lines of that time show it
there. Shaw et al., MIDL 2019, http://proceedings.mlr.press/v102/shaw19a.html
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Complex128
from torch import Tensor

from isocenter.artifacts._draw import choice, integer, uniform, uniforms, usable_axes
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.errors import UsageError
from isocenter.ops._memory import empty
from isocenter.ops.acquire import State, acquire
from isocenter.ops.regions import head_mask
from isocenter.ops.resample import resample_affine

__all__ = ["STANDS_FOR", "apply", "draw", "trajectory"]

Matrix = npt.NDArray[np.float64]
Pose = tuple[Matrix, Matrix] | None
"""From a voxel of the moved image to one of the still image; ``None`` is the still one."""

REACH = {1: (0.5, 1.5), 2: (2.0, 3.0), 3: (4.0, 5.5), 4: (7.0, 10.0)}
"""Largest rotation (degrees) and largest translation (mm) of the preset ``physical``."""
MOVES = {1: (1, 2), 2: (2, 3), 3: (3, 5), 4: (5, 10)}
"""Number of movements of the preset ``physical``."""
PUBLISHED_SHIFT = {1: (0.0, 1.0), 2: (4.0, 5.0), 3: (9.0, 10.0), 4: (19.0, 20.0)}
PUBLISHED_MOVES = {1: 1, 2: 3, 3: 5, 4: 10}
PUBLISHED_TURN = 10.0


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the movements.

    Preset ``physical``: one largest rotation (degrees) and translation (mm) per level, split
    over the movements with either sign; the head turns about its own centre, along a drawn
    phase-encode axis, and the position held longest covers the centre of k-space.

    Preset ``hsfnet-2025``: as TorchIO's ``RandomMotion`` with the published ranges, with the
    rotation of up to 10 degrees that was left on, about the corner of the image.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"`` or ``"hsfnet-2025"``.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level.
        BadVolume: A single voxel.
    """
    check_level("motion", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    drawn = _draw_physical if preset == "physical" else _draw_published
    return base | drawn(volume, level, rng)


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Move the head as drawn.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned.

    Returns:
        Image of the same shape: magnitude (``physical``) or real part (``hsfnet-2025``).
    """
    if params["level"] == 0:
        return volume.data
    axis = int(params["axis"])
    physical = params["preset"] == "physical"
    poses = _physical_poses(volume, params) if physical else _published_poses(volume, params)
    masks = _line_masks(params["times"], volume.shape[axis])
    order = _order(params["times"], int(params["held"])) if physical else _swap(params["times"])
    weights = torch.stack([masks[order.index(state)] for state in range(len(poses))])
    if physical:
        weights = weights * _ramps(volume, params)
    data = volume.data.contiguous()
    fill = None if physical else float(data.min())
    states = [_state(data, pose, w, fill) for pose, w in zip(poses, weights, strict=True)]
    return acquire(states, volume.shape, axis, magnitude=physical)


def trajectory(params: Mapping[str, Any], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Movements that were measured or thought of, in place of drawn ones.

    Args:
        params: What :func:`draw` returned under the preset ``physical``.
        rows: In order, one for each movement: its time as a share of the acquisition, above 0 and
            below 1; the head's place from then on, along the axes of the image (mm); its turn
            about them (degrees).  Before the first one the head lies as the scan shows it.

    Raises:
        UsageError: Another preset, no row, a row of other than seven numbers, or times that do not
            rise.
    """
    if params["preset"] != "physical" or params["level"] == 0:
        raise UsageError("a trajectory needs --preset physical and a level from 1 on")
    if not rows or any(len(row) != 7 for row in rows):
        raise UsageError(
            "a trajectory is a list of rows of seven numbers, time x y z turn_x turn_y turn_z"
        )
    times = [row[0] for row in rows]
    if not all(one < other for one, other in pairwise([0.0, *times, 1.0])):
        raise UsageError(f"times of a trajectory rise between 0 and 1; given were {times}")
    return {
        "times": times,
        "held": 0,
        "translation": [list(row[1:4]) for row in rows],
        "degrees": [list(row[4:7]) for row in rows],
    }


STANDS_FOR = {"trajectory": trajectory}
"""Words that may be given in place of several parameters."""


def _draw_physical(volume: Volume, level: int, rng: torch.Generator) -> dict[str, Any]:
    axes = usable_axes(volume)
    n_moves = integer(rng, *MOVES[level])
    turning = [a for a in range(3) if sum(other != a for other in axes) == 2]
    times, held = _draw_times(n_moves, rng)
    mask = head_mask(volume.data)
    inside = mask if bool(mask.any()) else torch.ones_like(mask)
    return {
        "axis": choice(rng, axes),
        "times": times,
        "held": held,
        "degrees": _draw_moves(n_moves, turning, uniform(rng, *REACH[level]), rng),
        "translation": _draw_moves(n_moves, axes, uniform(rng, *REACH[level]), rng),
        "centre": inside.nonzero().double().mean(0).tolist(),
    }


def _draw_times(n_moves: int, rng: torch.Generator) -> tuple[list[float], int]:
    """Moments of movement, and which of the ``n_moves + 1`` rests is longest and central."""
    rests = uniforms(rng, n_moves, 0.5, 1.0)
    longest = max(rests) * uniform(rng, 1.0, 2.0)
    total = sum(rests) + longest
    before = [0.0, *accumulate(rests)]
    # Steps are no longer than the longest rest, so at least one place covers the centre.
    central = [i for i, b in enumerate(before) if b <= total / 2 < b + longest]
    held = choice(rng, central)
    rests.insert(held, longest)
    return [end / total for end in list(accumulate(rests))[:-1]], held


def _draw_moves(
    n_moves: int, axes: list[int], reach: float, rng: torch.Generator
) -> list[list[float]]:
    """Components of either sign along ``axes``, the largest of all exactly ``reach``."""
    moves = [[0.0, 0.0, 0.0] for _ in range(n_moves)]
    for move in moves:
        for axis in axes:
            move[axis] = uniform(rng, -1.0, 1.0)
    largest = max((abs(part) for move in moves for part in move), default=0.0)
    return [[part * reach / largest if largest else 0.0 for part in move] for move in moves]


def _draw_published(volume: Volume, level: int, rng: torch.Generator) -> dict[str, Any]:
    n_moves = PUBLISHED_MOVES[level]
    step = 1 / (n_moves + 1)
    low, high = PUBLISHED_SHIFT[level]
    return {
        "axis": usable_axes(volume)[-1],
        "times": [step * (i + 1) + uniform(rng, -0.3, 0.3) * step for i in range(n_moves)],
        "degrees": [uniforms(rng, 3, -PUBLISHED_TURN, PUBLISHED_TURN) for _ in range(n_moves)],
        "translation": [uniforms(rng, 3, low, high) for _ in range(n_moves)],
        "spacing": [1.0, 1.0, 1.0],
    }


def _order(times: list[float], held: int) -> list[int]:
    """State of every rest: the still head (0) during ``held``, the moved ones around it."""
    states = list(range(1, len(times) + 1))
    states.insert(held, 0)
    return states


def _swap(times: list[float]) -> list[int]:
    """As TorchIO: the still head trades places with the one that covers the centre."""
    states = list(range(len(times) + 1))
    central = next((i for i, time in enumerate(times) if time > 0.5), len(times))
    states[0], states[central] = states[central], states[0]
    return states


def _line_masks(times: list[float], n_lines: int) -> Complex128[Tensor, "rest lines"]:
    """1 on the k-space lines that each rest acquires."""
    cuts = [0, *(int(n_lines * time) for time in times), n_lines]
    masks = torch.zeros(len(cuts) - 1, n_lines, dtype=torch.complex128)
    for rest, (start, stop) in enumerate(pairwise(cuts)):
        masks[rest, start:stop] = 1
    return masks


def _ramps(volume: Volume, params: Mapping[str, Any]) -> Complex128[Tensor, "state lines"]:
    """Translation along the phase-encode axis: exact, whatever the fraction of a voxel."""
    axis = int(params["axis"])
    n_lines = volume.shape[axis]
    moves = [0.0, *(move[axis] for move in params["translation"])]
    shift = torch.tensor(moves, dtype=torch.float64) / volume.spacing[axis]
    frequency = (torch.arange(n_lines, dtype=torch.float64) - n_lines // 2) / n_lines
    return torch.exp(-2j * torch.pi * shift[:, None] * frequency)


def _physical_poses(volume: Volume, params: Mapping[str, Any]) -> list[Pose]:
    spacing, centre = np.array(volume.spacing), np.array(params["centre"])
    poses: list[Pose] = [None]
    for degrees, move in zip(params["degrees"], params["translation"], strict=True):
        shift = np.array(move) / spacing
        shift[int(params["axis"])] = 0.0
        matrix = _rotation(degrees).T * spacing / spacing[:, None]
        poses.append((matrix, centre - matrix @ (centre + shift)))
    return poses


def _published_poses(volume: Volume, params: Mapping[str, Any]) -> list[Pose]:
    """TorchIO 1.2: about the world's origin, x and y towards left and posterior."""
    scale = np.array(params["spacing"]) * (-1.0, -1.0, 1.0)
    poses: list[Pose] = [None]
    for degrees, move in zip(params["degrees"], params["translation"], strict=True):
        matrix = _rotation(degrees) * scale / scale[:, None]
        poses.append((matrix, np.array(move) / scale))
    return poses


def _rotation(degrees: list[float]) -> Matrix:
    """Turn about y, then x, then z (the order of ITK's Euler angles)."""
    (a, b, c), (d, e, f) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, a, -d], [0, d, a]])
    about_y = np.array([[b, 0, e], [0, 1, 0], [-e, 0, b]])
    about_z = np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)


def _state(
    data: Image3, pose: Pose, weights: Complex128[Tensor, " lines"], fill: float | None
) -> State:
    """The head in one position, made block by block."""

    def block(across: int, part: slice) -> Image3:
        still = data.narrow(across, part.start, part.stop - part.start)
        if pose is None:
            return still.contiguous()
        matrix, offset = pose
        out = empty(still.shape, data.device)
        return resample_affine(
            data, matrix, offset + matrix[:, across] * part.start, out=out, fill=fill
        )

    return State(block, weights)
