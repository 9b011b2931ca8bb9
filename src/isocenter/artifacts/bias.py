"""Bias: brightness that drifts smoothly across the head."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float64
from torch import Tensor

from isocenter.artifacts._draw import integer, uniform, usable_axes
from isocenter.artifacts._presets import check_level
from isocenter.data.shapes import Image3
from isocenter.data.volume import Volume
from isocenter.ops.regions import head_mask

__all__ = ["apply", "draw"]

SPAN = {1: (0.15, 0.25), 2: (0.4, 0.5), 3: (0.7, 0.9), 4: (1.2, 1.6)}
"""Peak-to-peak of the field over the head, mean 1 there, preset ``physical``."""
ORDER = (2, 4)
DISTANCE = (1.0, 1.6)
"""Distance of the coil from the head's centre over the head's radius."""
LOOP = (0.3, 0.8)
"""Radius of the coil over the head's radius."""
ELEMENTS = (6, 12)
"""Fewest and most coils of an array around the head."""
SAMPLES = 20_000
"""The field is levelled on about this many voxels of the head."""

Points = npt.NDArray[np.float64]


def draw(
    volume: Volume, level: int, *, preset: str = "physical", rng: torch.Generator
) -> dict[str, Any]:
    """Draw the field: a polynomial of order 2 to 4, or that of one coil or of an array of coils.

    The field is the exponential of the drawn shape, levelled so that over the head its mean
    is 1 and its largest minus its smallest value is the drawn span.

    Args:
        volume: Scan to be damaged.
        level: 0 to 4.
        preset: ``"physical"``, the only one.
        rng: Source of every draw.

    Raises:
        UnknownName: No such preset.
        UsageError: No such level, or preset ``hsfnet-2025``, which has no bias.
        BadVolume: A single voxel.
    """
    check_level("bias", preset, level)
    base = {"preset": preset, "level": level}
    if level == 0:
        return base
    span = uniform(rng, *SPAN[level])
    points = _head_points(volume)
    kind = integer(rng, 0, 2)
    if kind == 0:
        return base | {"span": span} | _draw_polynomial(volume, points, span, rng)
    n_coils = 1 if kind == 1 else integer(rng, *ELEMENTS)
    return base | {"span": span} | _draw_coils(volume, points, span, n_coils, rng)


def apply(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Multiply by the drawn field.

    Args:
        volume: The scan that ``params`` were drawn for.
        params: What :func:`draw` returned.

    Returns:
        Image of the same shape.
    """
    if params["level"] == 0:
        return volume.data
    log_field = _log_field(volume, params)
    if params["limits"] is not None:
        log_field = log_field.clamp(*params["limits"])
    return volume.data * log_field.exp()


def _head_points(volume: Volume) -> Points:
    """Normalised positions of some of the head's voxels, (n, 3), from -1 to 1."""
    mask = head_mask(volume.data)
    inside = (mask if bool(mask.any()) else torch.ones_like(mask)).cpu().nonzero()
    inside = inside[:: max(1, len(inside) // SAMPLES)]
    half = np.array(volume.shape) / 2
    return np.asarray((inside.numpy() + 0.5) / half - 1)


def _draw_polynomial(
    volume: Volume, points: Points, span: float, rng: torch.Generator
) -> dict[str, Any]:
    axes = usable_axes(volume)
    order = integer(rng, *ORDER)
    powers = _powers(order)
    drawn = [
        uniform(rng, -1.0, 1.0) if all(p == 0 or a in axes for a, p in enumerate(power)) else 0.0
        for power in powers
    ]
    shape = np.zeros(len(points))
    for coefficient, power in zip(drawn, powers, strict=True):
        shape += coefficient * np.prod(points ** np.array(power), axis=1)
    gain, level, limits = _levelled(shape, span)
    coefficients = [gain * coefficient for coefficient in drawn]
    coefficients[0] += level
    return {"kind": "polynomial", "order": order, "coefficients": coefficients, "limits": limits}


def _draw_coils(
    volume: Volume, points: Points, span: float, n_coils: int, rng: torch.Generator
) -> dict[str, Any]:
    """Coils in random directions around the head; their images' root sum of squares."""
    half = np.array(volume.shape) / 2 * np.array(volume.spacing)
    at = points * half
    centre, radius = at.mean(0), float(at.std(0).max()) * 2
    direction = torch.randn((n_coils, 3), dtype=torch.float64, generator=rng).numpy()
    direction = direction * (np.array(volume.shape) > 1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    coils = centre + direction * radius * uniform(rng, *DISTANCE)
    loop = radius * uniform(rng, *LOOP)
    power = sum((((at - coil) ** 2).sum(1) + loop**2) ** -3.0 for coil in coils)
    gain, level, limits = _levelled(0.5 * np.log(power), span)
    return {
        "kind": "coils",
        "coils": coils.tolist(),
        "loop": loop,
        "gain": gain,
        "constant": level,
        "limits": limits,
    }


def _levelled(shape: Points, span: float) -> tuple[float, float, list[float]]:
    """Gain and constant so that ``exp(gain * shape + constant)`` has mean 1 and the span.

    Returns:
        Gain, constant, and the smallest and largest exponent: outside the head the field
        stays within them, so that air is not lifted without end.
    """
    middle = float(shape.mean())
    low, high = 0.0, 64.0 / max(float(np.ptp(shape)), 1e-12)
    for _ in range(60):
        gain = (low + high) / 2
        field = np.exp(gain * (shape - middle))
        low, high = (gain, high) if np.ptp(field) < span * field.mean() else (low, gain)
    constant = -low * middle - float(np.log(np.exp(low * (shape - middle)).mean()))
    logs = low * shape + constant
    return low, constant, [float(logs.min()), float(logs.max())]


def _powers(order: int) -> list[tuple[int, int, int]]:
    """Exponents of x, y, z, last one fastest, as TorchIO orders its coefficients."""
    return [
        (x, y, z)
        for x in range(order + 1)
        for y in range(order + 1 - x)
        for z in range(order + 1 - x - y)
    ]


def _log_field(volume: Volume, params: Mapping[str, Any]) -> Image3:
    if params["kind"] == "coils":
        return _coil_field(volume, params)
    order = int(params["order"])
    table = torch.zeros((order + 1,) * 3, dtype=torch.float64)
    for power, coefficient in zip(_powers(order), params["coefficients"], strict=True):
        table[power] = coefficient
    x, y, z = (_vandermonde(side, order) for side in volume.shape)
    planes = torch.einsum("abc,xa,yb->xyc", table, x, y)
    field: Image3 = planes.to(volume.data) @ z.T.to(volume.data)
    return field


def _vandermonde(side: int, order: int) -> Float64[Tensor, "side power"]:
    place = (torch.arange(side, dtype=torch.float64) + 0.5) / side * 2 - 1
    return place[:, None] ** torch.arange(order + 1)


def _coil_field(volume: Volume, params: Mapping[str, Any]) -> Image3:
    """Root sum of squares of ``(distance^2 + radius^2)^(-3/2)``, the field on a loop's axis."""
    power = torch.zeros(volume.shape, dtype=volume.data.dtype, device=volume.data.device)
    for coil in params["coils"]:
        squares = [
            (((torch.arange(n, dtype=torch.float64) + 0.5) - n / 2) * size - where).square()
            for n, size, where in zip(volume.shape, volume.spacing, coil, strict=True)
        ]
        x, y, z = (square.to(volume.data) for square in squares)
        part = ((x[:, None, None] + y[:, None]) + (z + params["loop"] ** 2)).reciprocal_()
        power.addcmul_(part * part, part)
    field: Image3 = power.log_().mul_(0.5 * params["gain"]).add_(params["constant"])
    return field
