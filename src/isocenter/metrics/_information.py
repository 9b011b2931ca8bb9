"""How much the eye can learn at every place of a Laplacian pyramid.

The weights of IW-SSIM and IW-PSNR: the mutual information of the bands and of their noisy
percepts, where the reference is a Gaussian scale mixture.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional
from torch import Tensor

from isocenter.metrics._pairs import check, ratio, refuse_mask
from isocenter.ops.windows import box, multiply_along, slide

__all__ = ["BORDER", "MINIMUM_SIDE", "WEIGHTS", "score_pyramids", "weighted_mean"]

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first; over their sum, 1.0001."""
MINIMUM_SIDE = 161
"""Leaves one place for the similarity's window in the coarsest scale."""
BORDER = 5
"""Half the similarity's window of 11: nearer to the border nothing is scored."""
BINOMIAL = (1.0, 4.0, 6.0, 4.0, 1.0)
NOISE = 0.4
"""Variance of the eye's own noise, for images from 0 to 255."""
BLOCK = 3
MARGIN = BORDER - BLOCK // 2
"""The similarity's window ends this much further inside than the block of 3."""
CHUNK_PIXELS = 1 << 16
"""Scored at once: a neighbourhood in double precision takes 80 bytes a pixel and copy."""

Formula = Callable[[list[Tensor], list[Tensor], list[Tensor | None]], Tensor]


def score_pyramids(
    name: str,
    formula: Formula,
    image: Tensor,
    reference: Tensor,
    *,
    data_range: float,
    mask: Tensor | None,
) -> Tensor:
    """Check a pair, split it into five scales and score it chunk by chunk.

    Args:
        name: How the metric is called in messages.
        formula: Scores bands (n, C, x, y) in double precision, image and reference from 0 to 255,
            finest first, and the weights of every place at least ``BORDER`` from the border;
            None where all places weigh the same.
        image: (N, C, x, y), at least 161 pixels along both axes.
        reference: Same shape and units.
        data_range: Largest possible difference of two values, in the image's units.
        mask: None; another is refused.

    Returns:
        (N,).

    Raises:
        UsageError: Shapes differ, three spatial axes, an axis is too short, or there is a mask.
    """
    check(name, image, reference, minimum_side=MINIMUM_SIDE, spatial=(2,), data_range=data_range)
    refuse_mask(name, mask)
    size = max(1, CHUNK_PIXELS // image[:1].numel()) if len(image) else 1
    scores = [image.new_zeros(0, dtype=torch.float64)]
    for start in range(0, len(image), size):
        own, true = (
            _pyramid(255 / data_range * each[start : start + size].double())
            for each in (image, reference)
        )
        parents = [*true[1:-1], None]
        known = map(_information, own[:-1], true[:-1], parents)
        scores.append(formula(own, true, [*known, None]))
    return torch.cat(scores).to(image.dtype)


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of (n, C, x, y) over places, (n, C); the plain one where no place weighs anything."""
    plain = values.mean((2, 3))
    if weight is None:
        return plain
    total = weight.sum((2, 3))
    return torch.where(total > 0, ratio((values * weight).sum((2, 3)), total, otherwise=0), plain)


def _pyramid(image: Tensor) -> list[Tensor]:
    """Four Laplacian bands and what is left, finest first."""
    taps = torch.tensor(BINOMIAL, dtype=torch.float64) / 16 * 2**0.5
    bands = []
    for _ in range(len(WEIGHTS) - 1):
        low = slide(image, taps, edges="mirror", step=2)
        spread = torch.zeros_like(image)
        spread[..., ::2, ::2] = low
        bands.append(image - slide(spread, taps, edges="mirror"))
        image = low
    return [*bands, image]


def _information(image: Tensor, reference: Tensor, parent: Tensor | None) -> Tensor:
    """Information at every place where the similarity's window fits: (N, C, x, y), bits.

    Args:
        image: One band, (N, C, x, y).
        reference: The same band.
        parent: The reference's next coarser band, which tells of this one.
    """
    gain, spoiled = _channel(image, reference)
    energy, spectrum = _mixture(_neighbourhoods(reference, parent))
    scale = (spoiled + (1 + gain**2) * NOISE) * energy / NOISE**2
    known = 1 + spoiled / NOISE
    # Logarithms are dear: two of products, each of few enough factors to stay finite.
    weight = torch.zeros_like(scale)
    for part in spectrum.split(5, dim=-1):
        rates = (torch.addcmul(known, scale, value[..., None, None]) for value in part.unbind(-1))
        weight = weight + torch.log2(math.prod(rates, start=torch.ones_like(scale)))
    weight = torch.where(weight < torch.finfo(weight.dtype).eps, 0, weight)
    return weight[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def _channel(image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Gain and variance of the additive part that turn each block of the reference into ours."""
    least = torch.finfo(image.dtype).eps
    moments = torch.cat([image, reference, image**2, reference**2, image * reference], dim=1)
    x, y, xx, yy, xy = slide(moments, box(BLOCK)).chunk(5, dim=1)
    own, true, common = (xx - x * x).relu(), (yy - y * y).relu(), xy - x * y
    flat = (true < least) | (own < least)
    gain = torch.where(flat, 0, common / (true + least))
    spoiled = torch.where(flat, own, own - gain * common)
    return gain, torch.where(own < least, 0, spoiled)


def _neighbourhoods(reference: Tensor, parent: Tensor | None) -> Tensor:
    """What stands around every place, and above it: (N, C, 9 or 10, x, y)."""
    height, width = (side - BLOCK + 1 for side in reference.shape[2:])
    places = [
        reference[..., down : down + height, across : across + width]
        for down in range(BLOCK)
        for across in range(BLOCK)
    ]
    if parent is not None:
        above = parent
        for axis in (2, 3):
            above = multiply_along(above, _doubling(parent.shape[axis]), axis)
        places.append(above[..., 1 : height + 1, 1 : width + 1])
    return torch.stack(places, dim=2)


def _doubling(side: int) -> Tensor:
    """Matrix (side, 2 * side): every second of four-fold linear interpolation, ends extended."""
    fine = torch.nn.functional.interpolate(
        torch.eye(side, dtype=torch.float64)[None], size=4 * side - 3, mode="linear"
    )[0]
    first, last = 2 * fine[:, :1] - fine[:, 1:2], 2 * fine[:, -1:] - fine[:, -2:-1]
    return torch.cat([first, fine, last], dim=1)[:, ::2]


def _mixture(places: Tensor) -> tuple[Tensor, Tensor]:
    """Gaussian scale mixture: local energy (N, C, x, y) and eigenvalues (N, C, length)."""
    vectors = places.flatten(3)
    covariance = vectors @ vectors.mT / vectors.shape[3]
    values, axes = torch.linalg.eigh(covariance)
    positive = values.relu()
    spectrum = positive * ratio(
        values.sum(-1, keepdim=True), positive.sum(-1, keepdim=True), otherwise=0
    )
    seen = spectrum > torch.finfo(values.dtype).eps * spectrum.amax(-1, keepdim=True)
    length = torch.where(seen, torch.where(seen, spectrum, 1).rsqrt(), 0)
    white = (axes * length[..., None, :]).mT @ vectors
    return (white**2).mean(2).unflatten(2, places.shape[3:]), spectrum
