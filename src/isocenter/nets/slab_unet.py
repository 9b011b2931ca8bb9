"""A compact U-Net that makes thin slices of thick ones, at every ratio, and says how sure it is.

A thick slice and its neighbours are the channels of a U-Net in the plane of the slices (pixels are
gathered at the door, as FFDNet does, doi:10.1109/TIP.2018.2839891), so that a thin voxel costs
1 / ratio of what it costs a network on the thin grid.  The last layer's weights are a smooth
function of where in the thick slice the thin one lies, as in LIIF (Chen et al.,
arXiv:2012.09161), so that one network serves every ratio.  What it learns is the difference from
an interpolation.  Members of the ensemble see different channels of the same network (Masksembles,
Durasov et al., arXiv:2012.08334).
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

__all__ = ["Config", "SlabUNet", "build"]

LARGEST_RATIO = 16
LOG_VARIANCES = (-16.0, 4.0)
"""Range of the logarithm of the variance."""
FIRST_LOG_VARIANCE = -7.0
"""What an untrained network says: a deviation of 3 % of the brightness."""


@dataclass(frozen=True)
class Config:
    """Everything that decides the shape of the network; the defaults are the shipped one's.

    Raises:
        UsageError: Numbers that do not fit each other.
    """

    widths: tuple[int, ...] = (48, 96, 160)
    """Channels of each level; the first one works at 1 / ``door`` of the resolution."""
    n_down: tuple[int, ...] = (2, 2, 2)
    """Blocks of each level on the way down; those of the last level are the bottom."""
    n_up: tuple[int, ...] = (2, 2)
    """Blocks of each level but the last on the way up."""
    door: int = 2
    """Pixels that are gathered, each way."""
    reach: int = 2
    """Neighbours on each side that a thick slice is seen with; 2 or more."""
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
        if self.reach < 2 or not 0 < self.n_keeping <= self.n_members:
            raise UsageError(
                f"reach {self.reach}, {self.n_keeping} of {self.n_members} members keep a "
                "channel: give a reach of 2 or more, and from 1 to all members"
            )

    @property
    def multiple(self) -> int:
        """Slices are padded to a multiple of it, each way."""
        return int(self.door * 2 ** (len(self.widths) - 1))


def build(config: Config, *, seed: int = 0) -> "SlabUNet":
    """The network of ``config`` with weights drawn from ``seed``; it begins as an interpolation."""
    net = drawn(lambda: SlabUNet(config), seed=seed, name="slab_unet")
    for part in net.modules():
        if isinstance(part, MaskedBlock):  # each block begins as little
            part.second.weight.data.mul_(0.1)
    nn.init.zeros_(net.head.last.weight)
    nn.init.zeros_(net.head.last.bias)
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
        self.head = Head(widths[0], 2 * door**2)

    def forward(
        self, thick: Tensor, ratio: int = 4, member: int | None = None, halo: int = 0
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
            halo: Thick slices at both ends that serve as neighbours alone, at most ``reach``.

        Raises:
            UsageError: A ratio, member or halo that cannot be.
        """
        self._check(thick, ratio, member, halo)
        n, _, x, y, _ = thick.shape
        windows, base = self._prepared(thick, ratio, halo)
        pad = [-side % self.config.multiple for side in (x, y)]
        condition = self._condition(ratio, thick)
        n_slices = len(windows) // n
        shared = self._encoded(F.pad(windows, (0, pad[1], 0, pad[0]), mode="replicate"), condition)

        def answer(members: Tensor) -> Tensor:
            raw = self._decoded(shared, condition, members.repeat_interleave(n_slices), ratio)
            raw = raw[:, :, :x, :y].view(n, n_slices, ratio, 2, x, y).float()
            mean = raw[:, :, :, 0] + base
            spread = (raw[:, :, :, 1] + FIRST_LOG_VARIANCE).clamp(*LOG_VARIANCES)
            said = torch.stack([mean, spread], 1).permute(0, 1, 4, 5, 2, 3)
            return said.reshape(n, 2, x, y, n_slices * ratio)

        index = torch.arange(n, device=thick.device)
        n_members = self.config.n_members
        if member is not None:
            return answer(torch.full_like(index, member))
        if self.training:
            return answer(index % n_members)
        return mixture([answer(torch.full_like(index, j)) for j in range(n_members)])

    def _blocks(self, width: int, n: int) -> nn.ModuleList:
        n_condition = self.config.n_condition
        return nn.ModuleList(MaskedBlock(width, n_condition) for _ in range(n))

    def _check(self, thick: Tensor, ratio: int, member: int | None, halo: int) -> None:
        if not 1 <= ratio <= LARGEST_RATIO:
            raise UsageError(f"ratio is {ratio}: give 1 to {LARGEST_RATIO}")
        if member is not None and not 0 <= member < self.config.n_members:
            raise UsageError(f"member {member} of {self.config.n_members}: they count from 0")
        if not 0 <= halo <= self.config.reach or thick.shape[-1] <= 2 * halo:
            raise UsageError(
                f"a halo of {halo} at both ends of {thick.shape[-1]} thick slices: give at most "
                f"{self.config.reach}, and slices between"
            )

    def _prepared(self, thick: Tensor, ratio: int, halo: int) -> tuple[Tensor, Tensor]:
        """Windows of neighbours (B * z, 2 reach + 1, x, y); the interpolation
        (B, z, ratio, x, y)."""
        n, _, x, y, _ = thick.shape
        missing = self.config.reach - halo
        slices = thick[:, 0].permute(0, 3, 1, 2)
        ends = [slices[:, :1]] * missing, [slices[:, -1:]] * missing
        windows = torch.cat([*ends[0], slices, *ends[1]], 1).unfold(1, 2 * self.config.reach + 1, 1)
        windows = windows.permute(0, 1, 4, 2, 3)
        weights = _cubic(_offsets(ratio, thick), self.config.reach)
        base = torch.einsum("rk,bzkxy->bzrxy", weights, windows)
        return windows.reshape(-1, windows.shape[2], x, y), base

    def _condition(self, ratio: int, like: Tensor) -> Tensor:
        told = torch.tensor([[math.log2(ratio) - 2, ratio / 4 - 1, 4 / ratio - 1]])
        condition: Tensor = self.embed(told.to(like))
        return condition

    def _encoded(self, windows: Tensor, condition: Tensor) -> list[Tensor]:
        """Maps of every level, on the way down."""
        gathered = F.pixel_unshuffle(windows, self.config.door)
        maps = self.into(gathered.contiguous(memory_format=torch.channels_last))
        levels = []
        for level, blocks in enumerate(self.down):
            if level == len(self.shrink):  # the bottom belongs to the members
                break
            for block in blocks:  # type: ignore[attr-defined]
                maps = block(maps, condition)
            levels.append(maps)
            maps = self.shrink[level](maps)
        return [*levels, maps]

    def _decoded(
        self, levels: list[Tensor], condition: Tensor, members: Tensor, ratio: int
    ) -> Tensor:
        """(B * z, ratio * 2, x, y) from the maps on the way down; ``members``: (B * z,)."""
        maps = self._masked(self.down[-1], levels[-1], condition, members)
        for level in reversed(range(len(self.up))):
            maps = self.merge[level](torch.cat([self.grow[level](maps), levels[level]], 1))
            maps = self._masked(self.up[level], maps, condition, members)
        raw = self.head(maps, _offsets(ratio, levels[0]), ratio)
        return F.pixel_shuffle(raw, self.config.door)

    def _masked(
        self, blocks: nn.Module, maps: Tensor, condition: Tensor, members: Tensor
    ) -> Tensor:
        config = self.config
        masks = member_masks(config.n_members, config.n_keeping, maps.shape[1], maps)[members]
        for block in blocks:  # type: ignore[attr-defined]
            maps = block(maps, condition, masks)
        return maps


class Head(nn.Module):
    """The last layer, whose weights are a function of a thin slice's place in the thick one."""

    def __init__(self, n_maps: int, n_outputs: int, n_hidden: int = 64) -> None:
        super().__init__()
        self.n_maps, self.n_outputs = n_maps, n_outputs
        self.first = nn.Linear(N_PLACE, n_hidden)
        self.last = nn.Linear(n_hidden, n_outputs * (n_maps + 1))

    def forward(self, maps: Tensor, offsets: Tensor, ratio: int) -> Tensor:
        """Maps (N, C, y, x) and offsets (R,) to (N, R * n_outputs, y, x)."""
        known = _place(offsets, ratio)
        weights = self.last(F.silu(self.first(known)))
        weights = weights.view(len(offsets) * self.n_outputs, self.n_maps + 1)
        kernel, bias = weights[:, :-1, None, None], weights[:, -1]
        return F.conv2d(F.relu(maps), kernel, bias.to(kernel.dtype))


def mixture(answers: list[Tensor]) -> Tensor:
    """Mean and log variance of a mixture: (B, 2, ...) of every member to the same."""
    means = torch.stack([one[:, 0] for one in answers])
    variances = torch.stack([one[:, 1] for one in answers]).exp()
    total = variances.mean(0) + means.var(0, correction=0)
    return torch.stack([means.mean(0), total.log()], 1)


N_PLACE = 9


def _place(offsets: Tensor, ratio: int) -> Tensor:
    """What the head is told of each thin slice: (R, N_PLACE)."""
    t = 2 * offsets
    size = torch.full_like(t, math.log2(ratio) - 2)
    return torch.stack(
        [t, t.abs(), t**2, t**3, (math.pi * t).sin(), (math.pi * t).cos(), size, size * t,
         size * t**2], 1
    )  # fmt: skip


def _offsets(ratio: int, like: Tensor) -> Tensor:
    """Places of the thin slices from the middle of their thick one, in thick slices."""
    return ((torch.arange(ratio, device=like.device) - (ratio - 1) / 2) / ratio).float()


def _cubic(offsets: Tensor, reach: int) -> Tensor:
    """Weights (R, 2 reach + 1) of the neighbours: Keys' cubic convolution, a = -1/2.

    Keys, IEEE TASSP 29(6), 1981, doi:10.1109/TASSP.1981.1163711, equation 15.
    """
    steps = torch.arange(-reach, reach + 1, device=offsets.device)
    distance = (offsets[:, None] - steps).abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))
