"""A compact U-Net that makes thin slices of thick ones, at every ratio, and says how sure it is.

Slices are interpolated by cubic splines, and planes that cross them are corrected, each seen as a
slab with its neighbours: the 2.5-D way of SMORE (doi:10.1109/TMI.2020.3037187) and others.  One
network serves planes in both directions and every ratio, which it is told.  Pixels may be gathered
at the door, as FFDNet does (doi:10.1109/TIP.2018.2839891).  Members of the ensemble see different
channels of the same network (Masksembles, Durasov et al., arXiv:2012.08334).
"""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from isocenter.errors import UsageError
from isocenter.nets._blocks.conditioned import Down, Up
from isocenter.nets._blocks.initial import drawn
from isocenter.nets._blocks.members import MaskedBlock, member_masks
from isocenter.ops.thick_slices import splined

__all__ = ["FIRST_LOG_VARIANCE", "LARGEST_RATIO", "Config", "SlabUNet", "build", "mixture"]

LARGEST_RATIO = 16
LOG_VARIANCES = (-16.0, 4.0)
"""Range of the logarithm of the variance."""
FIRST_LOG_VARIANCE = -7.0
"""What an untrained network says: a deviation of 3 % of the brightness."""
AT_ONCE = 1 << 19
"""Pixels that pass through the network together, when nothing is learned."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the shipped one's.

    Raises:
        UsageError: Numbers that do not fit each other.
    """

    widths: tuple[int, ...] = (48, 96, 144)
    """Channels of each level; the first one works at 1 / ``door`` of the resolution."""
    n_down: tuple[int, ...] = (1, 1, 2)
    """Blocks of each level on the way down; those of the last level are the bottom."""
    n_up: tuple[int, ...] = (1, 1)
    """Blocks of each level but the last on the way up."""
    door: int = 2
    """Pixels that are gathered, each way."""
    reach: int = 2
    """Neighbours on each side that a plane is seen with."""
    n_condition: int = 32
    n_members: int = 4
    n_keeping: int = 3
    """Members that keep a channel; it is 0 for the others."""

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.n_down) == len(self.n_up) + 1:
            raise UsageError(
                f"widths {self.widths}, n_down {self.n_down} and n_up {self.n_up} do not fit: "
                "give n_down as many numbers as widths, n_up one less"
            )
        if self.reach < 0 or not 0 < self.n_keeping <= self.n_members:
            raise UsageError(
                f"reach {self.reach}, {self.n_keeping} of {self.n_members} members keep a "
                "channel: give a reach of 0 or more, and from 1 to all members"
            )

    @property
    def multiple(self) -> int:
        """Planes are padded to a multiple of it, each way."""
        return int(self.door * 2 ** (len(self.widths) - 1))


def build(config: Config, *, seed: int = 0) -> "SlabUNet":
    """The network of ``config`` with weights drawn from ``seed``; it begins as an interpolation."""
    net = drawn(lambda: SlabUNet(config), seed=seed, name="slab_unet")
    for weight in net.last.parameters():
        nn.init.zeros_(weight)
    return net


class SlabUNet(nn.Module):
    """Mean and logarithm of the variance of thin slices, from thick ones."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        widths, door = config.widths, config.door
        n_inputs = (2 * config.reach + 1) * door**2
        self.embed = nn.Sequential(nn.Linear(3, config.n_condition), nn.SiLU())
        self.into = nn.Conv2d(n_inputs, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            self._blocks(width, n) for width, n in zip(widths, config.n_down, strict=True)
        )
        self.shrink = nn.ModuleList(Down(*pair) for pair in itertools.pairwise(widths))
        self.grow = nn.ModuleList(Up(below, width) for width, below in itertools.pairwise(widths))
        self.merge = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[:-1])
        self.up = nn.ModuleList(
            self._blocks(width, n) for width, n in zip(widths, config.n_up, strict=False)
        )
        self.last = nn.Conv2d(widths[0], 2 * door**2, 3, padding=1)

    def forward(
        self,
        thick: Tensor,
        ratio: int = 4,
        member: int | None = None,
        halo: int = 0,
        *,
        inner: bool = False,
    ) -> Tensor:
        """Thin slices (B, 2, x, y, ratio * (z - 2 * halo)), float32: mean, log variance.

        Thin slice h lies at (h - (ratio - 1) / 2) / ratio thick slices from the first one that is
        no halo.

        Args:
            thick: (B, 1, x, y, z), 1 = the brightness of the head; any sides.
            ratio: Thin slices for a thick one, 1 to 16; learned are 2 to 8.
            member: Of the ensemble, from 0.  Without it, sample i of a batch is of member
                i modulo ``n_members`` in training; else the answer is that of all members: the
                mean of their means, and the mean of their variances plus the variance of means.
            halo: Thick slices at both ends that serve as neighbours alone.
            inner: Only the planes across x that have all their neighbours, x - 2 ``reach`` of
                them; else the mean of the answers for planes across x and across y, whose border
                is repeated.

        Raises:
            UsageError: A ratio, member or halo that cannot be.
        """
        self._check(thick, ratio, member, halo)
        # Short numbers would lose more than the correction can give back.
        with torch.autocast(thick.device.type, enabled=False):
            thin = splined(thick[:, 0].float(), ratio)
        kept = slice(ratio * halo, thin.shape[-1] - ratio * halo)
        turns = self._turns(len(thick), member, thick.device)
        if inner:
            views = [self._across(thin, ratio, turns, 0)]
        else:  # across y, the two axes change places twice
            reach = self.config.reach
            other = self._across(thin.transpose(1, 2), ratio, turns, reach).transpose(3, 4)
            views = [self._across(thin, ratio, turns, reach), other]
        answers = (sum(views[1:], views[0]) / len(views))[..., kept]
        return answers[0] if len(turns) == 1 else mixture(answers)

    def _turns(self, n: int, member: int | None, device: torch.device) -> list[Tensor]:
        """For each pass, the member of every sample."""
        index = torch.arange(n, device=device)
        n_members = self.config.n_members
        if member is not None:
            return [torch.full_like(index, member)]
        if self.training:
            return [index % n_members]
        return [torch.full_like(index, one) for one in range(n_members)]

    def _blocks(self, width: int, n: int) -> nn.ModuleList:
        n_condition = self.config.n_condition
        return nn.ModuleList(MaskedBlock(width, n_condition) for _ in range(n))

    def _check(self, thick: Tensor, ratio: int, member: int | None, halo: int) -> None:
        if not 1 <= ratio <= LARGEST_RATIO:
            raise UsageError(f"ratio is {ratio}: give 1 to {LARGEST_RATIO}")
        if member is not None and not 0 <= member < self.config.n_members:
            raise UsageError(f"member {member} of {self.config.n_members}: they count from 0")
        if halo < 0 or thick.shape[-1] <= 2 * halo:
            raise UsageError(
                f"a halo of {halo} at both ends of {thick.shape[-1]} thick slices: give more slices"
            )

    def _across(self, thin: Tensor, ratio: int, turns: list[Tensor], border: int) -> Tensor:
        """Mean and log variance (turn, B, 2, planes, y, h) of planes across x.

        Args:
            thin: Interpolated (B, x, y, h).
            ratio: It is told to the network.
            turns: Members of the samples, (B,) each.
            border: How often the first and the last plane are repeated.
        """
        reach = self.config.reach
        ends = [thin[:, :1]] * border, [thin[:, -1:]] * border
        slabs = torch.cat([*ends[0], thin, *ends[1]], 1).unfold(1, 2 * reach + 1, 1)
        slabs = slabs.movedim(-1, 2)
        n, n_planes = slabs.shape[:2]
        whose = [members.repeat_interleave(n_planes) for members in turns]
        said = self._in_parts(slabs, ratio, whose).unflatten(1, (n, n_planes))
        mean = said[:, :, :, 0] + slabs[:, :, reach]
        spread = (said[:, :, :, 1] + FIRST_LOG_VARIANCE).clamp(*LOG_VARIANCES)
        return torch.stack([mean, spread], 2)

    def _in_parts(self, slabs: Tensor, ratio: int, whose: list[Tensor]) -> Tensor:
        """(turn, N, 2, y, h) from (..., neighbours, y, h), N slabs in all; part by part when
        nothing is learned."""
        condition = self._condition(ratio, slabs)
        slabs = slabs.flatten(0, 1)
        if torch.is_grad_enabled():
            return self._corrected(slabs, condition, whose)
        size = max(1, AT_ONCE // (slabs.shape[-1] * slabs.shape[-2]))
        parts = zip(slabs.split(size), *(members.split(size) for members in whose), strict=True)
        return torch.cat([self._corrected(one, condition, [*some]) for one, *some in parts], 1)

    def _condition(self, ratio: int, like: Tensor) -> Tensor:
        told = torch.tensor([[math.log2(ratio) - 2, ratio / 4 - 1, 4 / ratio - 1]])
        condition: Tensor = self.embed(told.to(like))
        return condition

    def _corrected(self, slabs: Tensor, condition: Tensor, whose: list[Tensor]) -> Tensor:
        """The U-Net, of each turn's members; the border is repeated to fitting sides."""
        a, b = slabs.shape[-2:]
        multiple = self.config.multiple
        padded = F.pad(slabs, (0, -b % multiple, 0, -a % multiple), mode="replicate")
        gathered = F.pixel_unshuffle(padded, self.config.door)
        maps = self.into(gathered.contiguous(memory_format=torch.channels_last))
        sides: list[Tensor] = []
        for level, blocks in enumerate(self.down[:-1]):
            maps = self._through(blocks, maps, condition)
            sides.append(maps)
            maps = self.shrink[level](maps)
        said = [self._raised(maps, sides, condition, members) for members in whose]
        return torch.stack(said)[..., :a, :b]

    def _raised(
        self, maps: Tensor, sides: list[Tensor], condition: Tensor, members: Tensor
    ) -> Tensor:
        """From the bottom up: the part of the network that members do not share."""
        maps = self._through(self.down[-1], maps, condition, members)
        for level in reversed(range(len(self.up))):
            maps = self.merge[level](torch.cat([self.grow[level](maps), sides[level]], 1))
            maps = self._through(self.up[level], maps, condition, members)
        return F.pixel_shuffle(self.last(maps), self.config.door).float()

    def _through(
        self, blocks: nn.Module, maps: Tensor, condition: Tensor, members: Tensor | None = None
    ) -> Tensor:
        """Blocks of a level, with hidden channels masked where members are told."""
        masks = None
        if members is not None:
            config = self.config
            every = member_masks(config.n_members, config.n_keeping, maps.shape[1], maps)
            masks = every[members]
        for block in blocks:  # type: ignore[attr-defined]
            maps = block(maps, condition, masks)
        return maps


def mixture(answers: Tensor) -> Tensor:
    """Mean and log variance of a mixture: (members, B, 2, ...) to (B, 2, ...)."""
    means, variances = answers[:, :, 0], answers[:, :, 1].exp()
    total = variances.mean(0) + means.var(0, correction=0)
    return torch.stack([means.mean(0), total.log()], 1)
