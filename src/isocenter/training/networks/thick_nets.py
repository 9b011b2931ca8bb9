"""Networks that make thin slices of thick ones, by name, behind one call."""

from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError
from isocenter.nets import planar, slab_unet
from isocenter.registry import Registry

__all__ = ["FixedRatio", "make_net"]

NETS = Registry("net", "nets")
OF_ONE_RATIO = ("aniso_unet", "sr_unet", "espcn")
MULTIPLES = {"aniso_unet": (16, 16), "sr_unet": (8, 8), "espcn": (1, 1)}
"""What the sides of a slice and the thin slices are multiples of."""


def make_net(name: str, config: slab_unet.Config, ratio: int, *, seed: int) -> nn.Module:
    """A network that is called with thick slices (B, 1, x, y, z), a ratio, and a halo.

    Args:
        name: ``slab_unet``, which takes every ratio, or one of those of one ratio: ``planar``, and
            ``aniso_unet``, ``sr_unet``, ``espcn`` in their published sizes.
        config: Of ``slab_unet``.
        ratio: Of the others.
        seed: Decides the first weights.

    Raises:
        UsageError: No such network here, or no ratio for one that needs it.
    """
    if name == "slab_unet":
        return slab_unet.build(config, seed=seed)
    if name not in ("planar", *OF_ONE_RATIO) or ratio < 2:
        raise UsageError(
            f"net is {name!r} and ratio {ratio}: give slab_unet, or a ratio and one of planar, "
            f"{', '.join(OF_ONE_RATIO)}"
        )
    if name == "planar":
        return OnePlane(planar.build(planar.Config(ratio=ratio, n_outputs=2), seed=seed))
    module = NETS.get(name)
    made = module.Config(ratio=ratio, n_outputs=2)
    return FixedRatio(module.build(made, seed=seed), made, MULTIPLES[name])


class FixedRatio(nn.Module):
    """A network of one ratio under the call of :class:`~isocenter.nets.slab_unet.SlabUNet`.

    Args:
        inner: The network.
        config: Its own.
        multiples: What the sides of a slice and the thin slices are multiples of.
    """

    def __init__(self, inner: nn.Module, config: Any, multiples: tuple[int, int]) -> None:
        super().__init__()
        self.inner, self.config, self.multiples = inner, config, multiples
        self.ratio: int = config.ratio

    def _planes(self, thick: Tensor, *, inner: bool) -> Tensor:
        """Mean and log variance of all thin slices, of inner planes or of all."""
        x, y, z = thick.shape[-3:]
        within, across = self.multiples
        across = max(1, across // self.ratio)
        padding = (0, -z % across, 0, -y % within, 0, -x % within)
        said: Tensor = self.inner(F.pad(thick, padding, mode="replicate"))
        border = slab_unet.Config().reach if inner else 0
        return said[..., border : x - border, :y, : self.ratio * z]

    def forward(
        self,
        thick: Tensor,
        ratio: int,
        member: int | None = None,
        halo: int = 0,
        *,
        inner: bool = False,
    ) -> Tensor:
        """Mean and log variance (B, 2, x, y, ratio * (z - 2 * halo)); ``inner`` as there.

        Raises:
            UsageError: Another ratio than the network's own.
        """
        if ratio != self.ratio:
            raise UsageError(f"ratio is {ratio}: this network makes {self.ratio} slices of one")
        n_thick = thick.shape[-1]
        kept = slice(ratio * halo, ratio * (n_thick - halo))
        return self._planes(thick, inner=inner)[..., kept].float()


class OnePlane(FixedRatio):
    """The planar baseline, that learns planes across x alone.

    Args:
        inner: The network.
    """

    def __init__(self, inner: planar.Planar) -> None:
        super().__init__(inner, inner.config, (1, 1))

    def _planes(self, thick: Tensor, *, inner: bool) -> Tensor:
        net = cast(planar.Planar, self.inner)
        said: Tensor = net.of_inner_planes(thick) if inner else net(thick)
        return said
