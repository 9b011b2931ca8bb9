"""The networks that the distortion benchmark compares: what each takes, says and is built of."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.data.preprocess import Slabs
from isocenter.nets import hsfnet, resnet
from isocenter.ops.damage_facts import N_DAMAGE_FACTS
from isocenter.ops.slabs import N_FACTS, compressed, spectra
from isocenter.training.inputs.benchmark_inputs import Prepared

__all__ = [
    "NETS",
    "BenchmarkNet",
    "Net",
    "Sizes",
    "build_net",
    "config_values",
    "summed_loss",
]

Net = Literal[
    "reference",
    "spatial",
    "frequency",
    "without_real",
    "without_imaginary",
    "improved",
    "slabs",
    "facts",
    "resnet18_2d",
    "resnet18_3d",
]
"""``reference`` and the published ablations; ``improved`` reads slabs, their spectra and the facts
about the whole image, ``slabs`` not the latter, ``facts`` nothing but facts; residual networks on
the stack as channels and as a volume."""
NETS: tuple[Net, ...] = get_args(Net)
_BRANCHES: dict[str, tuple[str, ...]] = {
    "reference": ("spatial", "real", "imaginary"),
    "spatial": ("spatial",),
    "frequency": ("real", "imaginary"),
    "without_real": ("spatial", "imaginary"),
    "without_imaginary": ("spatial", "real"),
    "improved": ("spatial", "spectrum"),
    "slabs": ("spatial", "spectrum"),
    "facts": (),
}
_PUBLISHED_FEATURES = {"spatial": 128, "real": 64, "imaginary": 64}


@dataclass(frozen=True)
class Sizes:
    """Widths and depths; empty tuples are the published (or the shipped) ones."""

    dims: tuple[int, ...] = ()
    """Channels of the stages; each is twice the one before."""
    depths: tuple[int, ...] = ()
    n_states: int = 0
    """Of the scans; 0 is 16 for the published networks and 4 for the improved ones."""
    n_features: int = 96
    """Length of each branch's output, improved networks."""
    stem: int = 16
    """Channels of the first convolution, improved networks."""
    width: int = 64
    """The same of residual networks."""


class BenchmarkNet(nn.Module):
    """Any of the networks behind one door: a batch of prepared images goes in.

    Args:
        name: Which one.
        trunk: The network itself.
        slabs: How slabs become spectra.
    """

    def __init__(self, name: Net, trunk: nn.Module, slabs: Slabs) -> None:
        super().__init__()
        self.name, self.trunk, self.slabs = name, trunk, slabs

    def forward(self, batch: Prepared) -> list[Tensor]:
        """Class logits of the images (B, n_outputs); for slabs, also of each slab alone
        (B, S, n_outputs)."""
        if isinstance(self.trunk, hsfnet.SlabHSFNet):
            said = self.trunk(*self._slab_inputs(batch))
            return [said.scan, said.slabs]
        return [self.trunk(*self._stack_inputs(batch))]

    def features(self, batch: Prepared) -> Tensor:
        """What the last layers judge by, (B, :attr:`n_features`)."""
        if isinstance(self.trunk, hsfnet.SlabHSFNet):
            said: hsfnet.SlabOutput = self.trunk(*self._slab_inputs(batch))
            return said.features
        inputs = self._stack_inputs(batch)
        if isinstance(self.trunk, resnet.PooledResNet):
            pooled: Tensor = self.trunk.trunk(*inputs)[-1].flatten(2).mean(2)
            return pooled
        published = cast(hsfnet.HSFNet, self.trunk)
        images = dict(zip(("spatial", "real", "imaginary"), inputs, strict=True))
        parts = [net(images[name]) for name, net in published.branches.items()]
        return torch.cat(parts, 1)

    @property
    def n_features(self) -> int:
        """Columns of :meth:`features`."""
        match self.trunk:
            case hsfnet.SlabHSFNet():
                return 128
            case resnet.PooledResNet():
                return self.trunk.fc.in_features
            case hsfnet.HSFNet():
                return sum(self.trunk.config.n_features)
        raise AssertionError(type(self.trunk))

    def _slab_inputs(self, batch: Prepared) -> tuple[Tensor, Tensor, Tensor]:
        facts = batch["facts"]
        if self.name == "slabs":
            return compressed(batch["slabs"]), spectra(batch["slabs"], self.slabs), facts
        if self.name == "facts":
            # One set of facts stands for all slabs, and nothing is seen.
            whole = torch.cat([facts.mean(1), batch["damage"]], 1)[:, None]
            nothing = whole.new_zeros(len(whole), 1, 0)
            return nothing, nothing, whole
        damage = batch["damage"][:, None].expand(-1, facts.shape[1], -1)
        waves = spectra(batch["slabs"], self.slabs)
        return compressed(batch["slabs"]), waves, torch.cat([facts, damage], 2)

    def _stack_inputs(self, batch: Prepared) -> tuple[Tensor, ...]:
        stack = batch["stack"]
        if self.name == "resnet18_2d":
            return (_scaled(stack),)
        if self.name == "resnet18_3d":
            return (_scaled(stack)[:, None],)
        spectrum = torch.fft.fftn(stack, dim=(1, 2, 3))
        return stack, spectrum.real, spectrum.imag


def build_net(
    name: Net, *, n_outputs: int, n_slices: int, sizes: Sizes, slabs: Slabs, seed: int
) -> BenchmarkNet:
    """A network with drawn weights.

    Args:
        name: Which one.
        n_outputs: Classes.
        n_slices: Of the stack.
        sizes: Widths and depths.
        slabs: How slabs become spectra.
        seed: Of the weights.
    """
    config = _config(name, n_outputs, n_slices, sizes)
    if isinstance(config, resnet.Config):
        return BenchmarkNet(name, resnet.build(config, seed=seed), slabs)
    return BenchmarkNet(name, hsfnet.build(config, seed=seed), slabs)


def summed_loss(said: Sequence[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of the images, and half that of their slabs, ().

    Args:
        said: What the network returned.
        labels: (B,).
    """
    whole, *each = said
    loss = F.cross_entropy(whole.float(), labels)
    for slabs in each:
        repeated = labels.repeat_interleave(slabs.shape[1])
        loss = loss + 0.5 * F.cross_entropy(slabs.float().flatten(0, 1), repeated)
    return loss


def config_values(net: BenchmarkNet) -> dict[str, Any]:
    """The configuration as plain values."""
    if isinstance(net.trunk, resnet.PooledResNet):
        return {"name": net.name, "n_inputs": net.trunk.trunk.conv1.in_channels}
    return {"name": net.name, **asdict(cast(hsfnet.HSFNet, net.trunk).config)}


def _config(
    name: Net, n_outputs: int, n_slices: int, sizes: Sizes
) -> hsfnet.Config | resnet.Config:
    if name in ("resnet18_2d", "resnet18_3d"):
        flat = name == "resnet18_2d"
        return resnet.Config(
            depth=18,
            n_dims=2 if flat else 3,
            n_inputs=n_slices if flat else 1,
            n_outputs=n_outputs,
            width=sizes.width,
        )
    branches = _BRANCHES[name]
    if name in ("improved", "slabs", "facts"):
        return hsfnet.Config(
            mode="improved",
            branches=branches,
            n_inputs=3,
            n_features=(sizes.n_features,) * len(branches),
            n_outputs=n_outputs,
            dims=sizes.dims or (48, 96, 192),
            depths=sizes.depths or (1, 2, 1),
            n_states=sizes.n_states or 4,
            drop_path=0.05,
            n_facts=N_FACTS + (0 if name == "slabs" else N_DAMAGE_FACTS),
            stem=sizes.stem,
        )
    return hsfnet.Config(
        branches=branches,
        n_inputs=n_slices,
        n_features=tuple(_PUBLISHED_FEATURES[branch] for branch in branches),
        n_outputs=n_outputs,
        dims=sizes.dims or (96, 192, 384, 768),
        depths=sizes.depths or (2, 2, 4, 2),
        n_states=sizes.n_states or 16,
    )


def _scaled(stack: Tensor) -> Tensor:
    """Each stack over its own root mean square."""
    size = stack.square().mean((1, 2, 3), keepdim=True).sqrt()
    scaled: Tensor = stack / size.clamp_min(1e-6)
    return scaled
