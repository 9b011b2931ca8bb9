"""HSFNet: blind artifact type and level from the image and its spectrum.

Two modes share their blocks.  ``reference`` is the published network
(github.com/cyfqylyw/HSFNet): thirty slices of 128 x 128 as channels, their unscaled 3-D
spectrum as two further images, one class out of 21.  ``improved`` looks at a handful of
thin slabs at the scanner's own resolution, each with its tapered 2-D spectrum, weighs the
slabs, and says for each artifact how strong it is and how good the scan is.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from isocenter.data.random import child, generator
from isocenter.nets._blocks.sfem import SFEM, initialise

__all__ = ["Config", "HSFNet", "RunningScale", "SlabHSFNet", "SlabOutput", "build"]


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network."""

    mode: Literal["reference", "improved"] = "reference"
    branches: tuple[str, ...] = ("spatial", "real", "imaginary")
    """``reference`` knows spatial, real, imaginary; ``improved`` spatial, spectrum."""
    n_inputs: int = 30
    """Channels of every branch: slices of the slab."""
    n_features: tuple[int, ...] = (128, 64, 64)
    """Output length of each branch."""
    n_outputs: int = 21
    dims: tuple[int, ...] = (96, 192, 384, 768)
    depths: tuple[int, ...] = (2, 2, 4, 2)
    n_states: int = 16
    drop_path: float = 0.1
    n_facts: int = 0
    """``improved``: numbers about the slab beside its pixels (voxel size, brightness)."""
    stem: int = 16
    """``improved``: channels of the first, full-resolution convolution."""


def build(config: Config, *, seed: int = 0) -> "HSFNet | SlabHSFNet":
    """The network of ``config`` with weights drawn from ``seed``."""
    rng = child(generator(seed), "hsfnet")
    # torch draws its default weights from the global generator: put that back as it was.
    with torch.random.fork_rng(devices=[]):
        net = HSFNet(config) if config.mode == "reference" else SlabHSFNet(config)
    for branch in net.branches.values():
        initialise(branch, rng)
    for part in net.heads():
        # torch's own default for a linear layer, drawn from our generator
        bound = part.in_features**-0.5
        nn.init.uniform_(part.weight, -bound, bound, generator=rng)
        nn.init.uniform_(part.bias, -bound, bound, generator=rng)
    return net


class HSFNet(nn.Module):
    """The published network and its four ablations, by ``config.branches``."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.branches = nn.ModuleDict(
            {
                name: _sfem(config, nn.Conv2d(config.n_inputs, config.dims[0], 4, 4), n_features)
                for name, n_features in zip(config.branches, config.n_features, strict=True)
            }
        )
        n_fused = sum(config.n_features)
        # The published spatial-only ablation loses the hidden layer together with the spectra.
        hidden = [nn.Linear(n_fused, 128), nn.ReLU()] if len(config.branches) > 1 else []
        self.fusion = nn.Sequential(*hidden, nn.Linear(128, config.n_outputs))

    def heads(self) -> list[nn.Linear]:
        """Linear layers behind the branches."""
        return [part for part in self.fusion if isinstance(part, nn.Linear)]

    def forward(self, spatial: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
        """Class logits (B, n_outputs).

        Args:
            spatial: Slices (B, 30, 128, 128), the scanner's units.
            real: Real part of their 3-D spectrum, same shape.
            imaginary: Imaginary part, same shape.  Inputs without a branch are not used.
        """
        images = {"spatial": spatial, "real": real, "imaginary": imaginary}
        features = [net(images[name]) for name, net in self.branches.items()]
        logits: Tensor = self.fusion(torch.cat(features, dim=1))
        return logits


class SlabOutput(NamedTuple):
    """What the improved network says of a set of slabs."""

    scan: Tensor
    """(B, n_outputs), of all slabs together."""
    slabs: Tensor
    """(B, S, n_outputs), of each slab alone."""
    features: Tensor
    """(B, 128), the weighed features of the scan."""


class SlabHSFNet(nn.Module):
    """The improved network: one small HSFNet for every slab, and attention over slabs.

    Attention pooling: Ilse et al., arXiv:1802.04712.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.branches = nn.ModuleDict(
            {
                name: _sfem(config, _stem(config), n_features)
                for name, n_features in zip(config.branches, config.n_features, strict=True)
            }
        )
        self.scale = RunningScale(config.n_facts)
        n_fused = sum(config.n_features) + config.n_facts
        self.fusion = _two_layers(n_fused, 192, 128)
        self.attention = nn.Linear(128, 1)
        self.output = _two_layers(128, 128, config.n_outputs)

    def heads(self) -> list[nn.Linear]:
        """Linear layers behind the branches."""
        parts = (*self.fusion, self.attention, *self.output)
        return [part for part in parts if isinstance(part, nn.Linear)]

    def forward(self, slabs: Tensor, spectra: Tensor, facts: Tensor) -> SlabOutput:
        """Judge scans of S slabs each.

        Args:
            slabs: Neighbouring slices (B, S, n_inputs, H, W), brightness about 1.
            spectra: Their compressed half spectra (B, S, n_inputs, H, W // 2).
            facts: Numbers about each slab (B, S, n_facts).
        """
        return self.judge(self.look(slabs, spectra, facts))

    def look(self, slabs: Tensor, spectra: Tensor, facts: Tensor) -> Tensor:
        """Features (B, S, 128) of each slab; arguments as in :meth:`forward`."""
        images = {"spatial": slabs, "spectrum": spectra}
        parts = [net(images[name].flatten(0, 1)) for name, net in self.branches.items()]
        fused = torch.cat([*parts, self.scale(facts.flatten(0, 1))], dim=1)
        features: Tensor = torch.relu(self.fusion(fused)).unflatten(0, slabs.shape[:2])
        return features

    def judge(self, features: Tensor) -> SlabOutput:
        """Outputs from the features (B, S, 128) of all slabs."""
        weights = self.attention(features).softmax(dim=1)
        scan = (weights * features).sum(1)
        return SlabOutput(self.output(scan), self.output(features), scan)


class RunningScale(nn.Module):
    """Numbers of any unit to mean 0 and spread 1, by the averages of what was seen in training.

    Unlike batch normalisation the averages are used in training too: a batch shows few scans,
    and all slabs of a scan share most of their facts.
    """

    MEMORY = 300
    """Batches over which is averaged."""
    LARGEST = 6.0

    def __init__(self, n_numbers: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.square: Tensor
        self.seen: Tensor
        self.register_buffer("mean", torch.zeros(n_numbers))
        self.register_buffer("square", torch.ones(n_numbers))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, numbers: Tensor) -> Tensor:
        """(rows, k) -> (rows, k), clamped."""
        if self.training:
            self._learn(numbers)
        spread = (self.square - self.mean.square()).clamp_min(1e-4).sqrt()
        scaled: Tensor = ((numbers - self.mean) / spread).clamp(-self.LARGEST, self.LARGEST)
        return scaled

    @torch.no_grad()
    def _learn(self, numbers: Tensor) -> None:
        share = 1 / float((self.seen + 1).clamp_max(self.MEMORY))
        self.mean.lerp_(numbers.mean(0), share)
        self.square.lerp_(numbers.square().mean(0), share)
        self.seen += 1


def _two_layers(n_inputs: int, n_hidden: int, n_outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_inputs, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_outputs))


def _sfem(config: Config, embed: nn.Module, n_features: int) -> SFEM:
    return SFEM(embed, config.dims, config.depths, config.n_states, n_features, config.drop_path)


def _stem(config: Config) -> nn.Module:
    """Full-resolution convolutions down to one token for 8 x 8 pixels.

    Noise and fine blur live in single pixels: a convolution must see them before any stride.
    """
    widths = (config.stem, 2 * config.stem, config.dims[0])
    layers: list[nn.Module] = []
    n_inputs = config.n_inputs
    for stride, width in zip((1, 2, 2), widths, strict=True):
        layers += [
            nn.Conv2d(n_inputs, width, 3, stride, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        ]
        n_inputs = width
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], config.dims[0], 2, 2))
