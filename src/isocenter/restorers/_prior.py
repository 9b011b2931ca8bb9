"""``Prior``: a trained network of complex images, as samplers need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.device import short_numbers
from isocenter.data.preprocess import ComplexImage
from isocenter.data.step import JSON
from isocenter.diffusion.denoiser import Denoiser
from isocenter.diffusion.parametrisation import NetworkDenoiser, Parametrisation
from isocenter.diffusion.projector import HighFrequencies, low_columns
from isocenter.errors import BadCheckpoint, BadKSpace
from isocenter.nets import complex_unet, ddpm, ncsnpp
from isocenter.restorers._deviation import Calibration
from isocenter.restorers._prior_units import Units

__all__ = ["Prior", "load_prior"]

NETS: Mapping[str, Any] = {"complex_unet": complex_unet, "ddpm": ddpm, "ncsnpp": ncsnpp}


@dataclass(frozen=True, eq=False)
class Prior:
    """A network with what it must be told."""

    net: nn.Module
    """In evaluation mode, averaged weights."""
    parametrisation: Parametrisation
    seen: ComplexImage
    """Brightness and noise that it has learned from."""
    calibration: Calibration | None = None
    """From the variance of samples to the deviation of their mean."""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """Name and hash."""

    @property
    def units(self) -> Units:
        """How bright images must be."""
        return Units(self.seen.quantile, self.seen.brightness)

    @property
    def largest_noise(self) -> float:
        """That it has learned to take out of images of that brightness."""
        return self.seen.most

    @property
    def knows_whole(self) -> bool:
        """Whether it takes noise out of all of k-space, not of the high frequencies alone."""
        return not self.parametrisation.high_frequencies

    def denoiser(self, acs_width: int | None) -> Denoiser:
        """Expected clean images under noise that spares some columns of k-space.

        Args:
            acs_width: How many columns around the centre hold no noise, in every row;
                ``None``: all of k-space holds noise.

        Raises:
            BadKSpace: The network knows noise in the high frequencies alone, and there is no
                width.
        """
        if not self.parametrisation.high_frequencies:
            return _Columns(self, acs_width or 0)
        if acs_width is None:
            raise BadKSpace(
                "this prior knows noise in the high frequencies alone, and the centre of k-space "
                "is not fully measured: use the prior that ships with the package"
            )
        return _Columns(self, acs_width)


@dataclass(frozen=True, eq=False)
class _Columns:
    """A prior told how many columns hold no noise; any size of image."""

    prior: Prior
    width: int

    def __call__(self, noisy: Tensor, sigma: Tensor) -> Tensor:
        """As :class:`~isocenter.diffusion.denoiser.Denoiser`."""
        known, seen = self.prior.parametrisation, self.prior.seen
        rows, columns = noisy.shape[-2:]
        sigma = sigma.clamp(seen.least, seen.most)

        def network(parts: Tensor, level: Tensor) -> Tensor:
            return _whole(self.prior.net, parts, level, self.width / columns)

        if known.high_frequencies:
            projector: HighFrequencies = low_columns((rows, columns), self.width)
            return NetworkDenoiser(network, known, projector)(noisy, sigma)
        return NetworkDenoiser(network, known)(noisy, sigma)


def load_prior(path: Path | str | None, device: torch.device | str = "cpu") -> Prior:
    """The prior of a file, or the one that ships with the package.

    Args:
        path: A checkpoint of the recipe ``prior``; ``None``: the shipped one.
        device: Where it will run.

    Raises:
        BadCheckpoint: Missing, damaged, or no prior.
    """
    shipped = Path(str(files("isocenter") / "weights" / "prior.safetensors"))
    checkpoint = Checkpoint.load(shipped if path is None else path)
    if checkpoint.net not in NETS or checkpoint.preprocess.get("kind") != ComplexImage.kind:
        raise BadCheckpoint(
            f"{path or shipped} holds {checkpoint.net!r}, which is no prior of complex images: "
            "give the checkpoint of `isocenter train prior`"
        )
    module = NETS[checkpoint.net]
    net = module.build(checkpoint.configured(module.Config))
    checkpoint.load_into(net)
    return Prior(
        net.eval().requires_grad_(False).to(device, memory_format=torch.channels_last),
        Parametrisation.from_json(checkpoint.outputs["image"]),
        ComplexImage.from_json(dict(checkpoint.preprocess)),
        Calibration.from_json(checkpoint.calibration.get("deviation", {})),
        {"prior": checkpoint.card.get("name", checkpoint.net), "prior_sha256": checkpoint.sha256},
    )


@torch.inference_mode()
def _whole(
    net: nn.Module, parts: Float[Tensor, "b 2 y x"], level: Float[Tensor, " b"], kept: float
) -> Float[Tensor, "b 2 y x"]:
    """What a network says of images whose sides need be no multiple of anything."""
    rows, columns = parts.shape[-2:]
    multiple: int = net.config.multiple  # type: ignore[union-attr, assignment]
    padded = F.pad(parts, (0, -columns % multiple, 0, -rows % multiple), mode="reflect")
    padded = padded.contiguous(memory_format=torch.channels_last)
    with short_numbers(parts.device):
        if isinstance(net, complex_unet.ComplexUNet):
            said = net(padded, level, torch.full_like(level, kept))
        else:
            said = net(padded, level)
    result: Tensor = said[..., :rows, :columns].float()
    return result
