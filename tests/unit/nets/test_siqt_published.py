"""SIQT's protocol around its networks: counts, the brightness in and out, where slices lie."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isocenter.data.random import generator
from isocenter.errors import UsageError
from isocenter.nets.siqt_published import Config, build
from isocenter.ops.intensity_scale import IntensityScale

COUNTS = [("aniso_unet", 8, 9_692_185), ("aniso_unet", 4, 9_685_017), ("sr_unet", 8, 2_300_001),
          ("iso_unet", 8, 9_188_337), ("espcn", 4, 17_327)]  # fmt: skip


@pytest.mark.parametrize(("name", "ratio", "count"), COUNTS)
def test_nothing_is_added_to_the_published_weights(name: str, ratio: int, count: int) -> None:
    net = build(Config(name, ratio))  # type: ignore[arg-type]
    assert sum(weight.numel() for weight in net.parameters()) == count


def test_brightness_is_that_of_patches_inside_and_of_the_scales_outside() -> None:
    net = build(Config("espcn", 2))
    low, high = (IntensityScale(tuple(a * i + 1.0 for i in range(11))) for a in (9, 10))
    net.learn_scale((low, high), ((30.0, 12.0), (40.0, 15.0)))
    assert net.scales() == (low, high)
    seen: list[torch.Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return torch.full_like(x, 2.0)

    net.inner = Spy()
    said = net(torch.full((1, 1, 4, 4, 4), 54.0))
    assert torch.allclose(seen[0], torch.tensor(2.0))
    assert torch.allclose(said, torch.tensor(70.0))


def test_the_isotropic_network_sees_thick_slices_where_the_published_simulator_has_them() -> None:
    net = build(Config("iso_unet", 4, 2))
    net.inner = nn.Identity()
    thick = torch.rand((1, 1, 3, 3, 6), generator=generator(1))
    thin = net(thick)
    assert thin.shape == (1, 1, 3, 3, 24)
    assert torch.allclose(thin[..., ::4], thick, atol=1e-5)


def test_other_ratios_are_refused() -> None:
    with pytest.raises(UsageError, match="2, 4 or 8"):
        Config(ratio=6)
