"""E2E-VarNet: k-space filled in by cascades that find their own coil maps.

Sriram et al., MICCAI 2020, doi:10.1007/978-3-030-59713-9_7, arXiv:2004.06688.  The default
configuration is the published one; weights of the fastMRI program fit it (:func:`from_public`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.random import child, generator
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.pretrained import give_weights, read_weights
from isocenter.nets._blocks.unet import UNet
from isocenter.ops.coils import combine, expand, root_sum_of_squares
from isocenter.ops.fourier import fft, ifft

__all__ = ["Config", "Filled", "VarNet", "build", "calibration_places", "from_public"]

PLANE = (-2, -1)
MULTIPLE = 16
"""Sides of images are filled up to a multiple of it before a U-Net, as published."""
TINY = 1e-20
"""Spread of an image without content: what is divided by it was 0 before."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the published ones."""

    n_cascades: int = 12
    width: int = 18
    """Channels of the finest level of the U-Net in a cascade."""
    n_levels: int = 4
    """How often it halves the grid."""
    map_width: int = 8
    """The same of the U-Net that finds coil maps."""
    map_levels: int = 4

    def __post_init__(self) -> None:
        for name in ("n_cascades", "width", "n_levels", "map_width", "map_levels"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}: give 1 or more")


class Filled(NamedTuple):
    """K-space with nothing missing, and the coil maps that filled it."""

    kspace: Complex[Tensor, "b coil y x"]
    maps: Complex[Tensor, "b coil y x"]
    """The sum over coils of |S|^2 is 1, or 0 where nothing was measured."""


def build(config: Config, *, seed: int = 0) -> "VarNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    net = drawn(partial(VarNet, config), seed=seed, name="varnet")
    rng = child(generator(seed), "varnet", "transposed")
    for part in net.modules():
        if isinstance(part, nn.ConvTranspose2d):
            bound = part.weight[0].numel() ** -0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=rng)
    return net


class VarNet(nn.Module):
    """Gradient steps on k-space with a learned weight of the data and a learned prior each."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.maps = NormalisedUNet(config.map_width, config.map_levels)
        self.cascades = nn.ModuleList(
            _Cascade(NormalisedUNet(config.width, config.n_levels))
            for _ in range(config.n_cascades)
        )

    def forward(
        self, kspace: Complex[Tensor, "b coil y x"], mask: Bool[Tensor, "#b y x"]
    ) -> Float[Tensor, "b y x"]:
        """Root sum of squares of all coils, in the units of k-space.

        Args:
            kspace: 0 where not measured; sides of at least 17.
            mask: What was measured, the centre among it.
        """
        return root_sum_of_squares(ifft(self.filled(kspace, mask).kspace, PLANE))

    def filled(self, kspace: Complex[Tensor, "b coil y x"], mask: Bool[Tensor, "#b y x"]) -> Filled:
        """What :meth:`forward` makes its image of."""
        maps = self._maps(kspace, mask)
        measured, current = mask[:, None], kspace
        for cascade in self.cascades:
            current = cascade(current, kspace, measured, maps)
        return Filled(current, maps)

    def _maps(self, kspace: Tensor, mask: Tensor) -> Tensor:
        """From the calibration lines, every coil by itself, then of norm 1."""
        centre = kspace * calibration_places(mask)[:, None]
        images = ifft(centre, PLANE)
        maps: Tensor = self.maps(images.flatten(0, 1)).view_as(images)
        return maps / root_sum_of_squares(maps).clamp_min(TINY)[:, None]


class NormalisedUNet(nn.Module):
    """A U-Net of complex images, whose two parts are given mean 0 and variance 1 before it."""

    def __init__(self, width: int, n_levels: int) -> None:
        super().__init__()
        self.unet = UNet(2, width, n_levels)
        self.multiple = max(MULTIPLE, 2**n_levels)

    def forward(self, image: Complex[Tensor, "b y x"]) -> Complex[Tensor, "b y x"]:
        """Every image by itself; brightness comes back as it was."""
        parts = torch.view_as_real(image).movedim(-1, 1)
        mean, spread = parts.mean(PLANE, keepdim=True), parts.std(PLANE, keepdim=True)
        said = self._unpadded((parts - mean) / spread.clamp_min(TINY))
        # An accelerator may have multiplied in bfloat16, of which there are no complex numbers.
        whole = said.to(parts.dtype) * spread + mean
        return torch.view_as_complex(whole.movedim(1, -1).contiguous())

    def _unpadded(self, parts: Tensor) -> Tensor:
        """The U-Net on sides that it can halve; of an odd number of lines more follow behind."""
        rows, columns = parts.shape[-2:]
        top, left = (-rows % self.multiple) // 2, (-columns % self.multiple) // 2
        below, right = -rows % self.multiple - top, -columns % self.multiple - left
        said: Tensor = self.unet(F.pad(parts, (left, right, top, below)))
        return said[..., top : top + rows, left : left + columns]


class _Cascade(nn.Module):
    def __init__(self, prior: NormalisedUNet) -> None:
        super().__init__()
        self.prior = prior
        self.data_weight = nn.Parameter(torch.ones(1))

    def forward(self, current: Tensor, measured: Tensor, mask: Tensor, maps: Tensor) -> Tensor:
        """``k - weight M (k - measured) - F S prior(S^H F^H k)``."""
        sets = maps[:, None]
        image = self.prior(combine(ifft(current, PLANE), sets)[:, 0])
        change = torch.where(mask, current - measured, 0) * self.data_weight
        return current - change - fft(expand(image[:, None], sets), PLANE)


def calibration_places(mask: Bool[Tensor, "b y x"]) -> Bool[Tensor, "b y x"]:
    """The fully measured columns that lie evenly around the centre of k-space.

    Where not even the two in the middle were fully measured, as with points of two phase
    encodings, the fully measured square around the centre.
    """
    rows, columns = (_steps_from_centre(n, mask.device) for n in mask.shape[-2:])
    in_columns, in_square = columns.expand_as(mask), torch.maximum(rows[:, None], columns)
    n_columns = _reached(in_columns, mask)
    square = in_square < _reached(in_square.expand_as(mask), mask)
    return torch.where(n_columns > 0, in_columns < n_columns, square)


def _reached(steps: Tensor, mask: Tensor) -> Tensor:
    """The steps from the centre that can be made before something is missing, (b, 1, 1)."""
    everything = steps.new_full((), max(mask.shape[-2:]))
    return torch.where(mask, everything, steps).amin(PLANE, keepdim=True)


def _steps_from_centre(n: int, device: torch.device) -> Tensor:
    """0 for the two middle places of an axis, whose zero frequency is the second, then 1, ..."""
    index = torch.arange(n, device=device)
    return torch.where(index >= n // 2, index - n // 2, n // 2 - 1 - index)


def from_public(path: Path) -> VarNet:
    """A network with weights of the fastMRI program, in whose own names they stand.

    Its size is found in the file.  A prefix ``varnet.`` or ``module.`` and what stands beside it
    in the checkpoint of a training are passed over.

    Args:
        path: A safetensors file.

    Raises:
        BadCheckpoint: No such file, no safetensors, other names or shapes.
    """
    found = _without_prefix(read_weights(path, cure=CONVERT))
    net = VarNet(_config_of(found, path))
    names = {_public_name(name, net.config): name for name in net.state_dict()}
    give_weights(net, {names.get(name, name): value for name, value in found.items()}, path)
    return net.eval()


CONVERT = (
    "pickled weights are never loaded: where the file can be trusted, convert it once by "
    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'varnet.safetensors')"
)
IDLE = re.compile(r"cascades\.\d+\.zero$")
"""A constant that older checkpoints hold."""


def _without_prefix(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    for prefix in ("module.varnet.", "varnet.module.", "varnet.", "module."):
        inside = {n.removeprefix(prefix): v for n, v in found.items() if n.startswith(prefix)}
        if inside:
            return {name: value for name, value in inside.items() if not IDLE.match(name)}
    return {name: value for name, value in found.items() if not IDLE.match(name)}


def _config_of(found: Mapping[str, Tensor], path: Path) -> Config:
    """The sizes that the file's names and shapes tell."""
    first = "unet.down_sample_layers.0.layers.0.weight"
    inner, maps = f"cascades.0.model.{first}", f"sens_net.norm_unet.{first}"
    if inner not in found or maps not in found:
        raise BadCheckpoint(
            f"{path} holds neither a network of isocenter nor fastMRI's VarNet: {maps} is missing"
        )
    numbers = [int(m[1]) for name in found if (m := re.match(r"cascades\.(\d+)\.", name))]
    return Config(
        n_cascades=max(numbers) + 1,
        width=len(found[inner]),
        n_levels=_levels(found, "cascades.0.model."),
        map_width=len(found[maps]),
        map_levels=_levels(found, "sens_net.norm_unet."),
    )


def _levels(found: Mapping[str, Tensor], start: str) -> int:
    pattern = re.compile(re.escape(start) + r"unet\.down_sample_layers\.(\d+)\.")
    return 1 + max(int(m[1]) for name in found if (m := pattern.match(name)))


def _public_name(own: str, config: Config) -> str:
    """What the fastMRI program calls one of our weights."""
    name = own
    n_levels = config.map_levels if own.startswith("maps.") else config.n_levels
    for pattern, public in _PUBLIC_NAMES:
        name = re.sub(pattern, public, name)
    # The last block of all and the convolution behind it are one sequence.
    last = f"up_conv.{n_levels - 1}"
    name = name.replace(f"{last}.layers", f"{last}.0.layers")
    return name.replace("unet.last.", f"unet.{last}.1.")


_PUBLIC_NAMES = (
    (r"^maps\.", "sens_net.norm_unet."),
    (r"\.prior\.", ".model."),
    (r"data_weight$", "dc_weight"),
    (r"\.down\.", ".down_sample_layers."),
    (r"\.middle\.", ".conv."),
    (r"\.up\.", ".up_conv."),
    (r"\.enlarge\.", ".up_transpose_conv."),
    (r"\.conv1\.weight$", ".layers.0.weight"),
    (r"\.conv2\.weight$", ".layers.4.weight"),
    (r"(up_transpose_conv\.\d+)\.conv\.weight$", r"\1.layers.0.weight"),
)
"""In this order."""
