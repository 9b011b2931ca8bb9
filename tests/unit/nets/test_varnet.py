"""E2E-VarNet: its count, a slow written-out form, its laws, and weights in fastMRI's names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint, UsageError
from isocenter.nets.varnet import Config, VarNet, build, calibration_places, from_public

SMALL = Config(n_cascades=2, width=3, n_levels=2, map_width=2, map_levels=1)


@pytest.fixture(scope="module")
def net() -> VarNet:
    return build(SMALL, seed=3).eval()


def measured(
    shape: tuple[int, ...] = (1, 3, 21, 34), seed: int = 0, width: int = 10
) -> tuple[Tensor, Tensor]:
    """K-space with every third column and a centre, and its mask."""
    kspace = torch.randn(shape, generator=generator(seed), dtype=torch.complex64)
    column = torch.arange(shape[-1])
    centre = (column >= shape[-1] // 2 - width // 2) & (column < shape[-1] // 2 + width // 2)
    mask = ((column % 3 == 0) | centre).expand(shape[0], *shape[2:]).clone()
    return kspace * mask[:, None], mask


def n_weights_of_unet(channels: int, width: int, levels: int) -> int:
    """By hand: a block of two 3 x 3 convolutions from a to b has 9 a b + 9 b^2 weights."""
    widths = [width * 2**level for level in range(levels + 1)]
    down = sum(9 * a * b + 9 * b * b for a, b in zip([channels, *widths], widths, strict=False))
    up = sum(4 * 2 * w * w + 9 * 2 * w * w + 9 * w * w for w in widths[:-1])
    return down + up + width * channels + channels


def test_the_published_network_has_its_published_number_of_weights() -> None:
    with torch.device("meta"):
        published = VarNet(Config())
    n_found = sum(weight.numel() for weight in published.parameters())
    n_cascade = 7574 * 18**2 + 20 * 18 + 2
    assert n_weights_of_unet(2, 18, 4) == n_cascade
    assert n_found == 12 * (n_cascade + 1) + n_weights_of_unet(2, 8, 4) == 29_936_966


def slow_ifft(kspace: np.ndarray) -> np.ndarray:
    """Sum over frequencies, pixel by pixel, the origin in the middle."""
    rows, columns = kspace.shape[-2:]
    y, x = np.arange(rows) - rows // 2, np.arange(columns) - columns // 2
    along_y = np.exp(2j * np.pi * np.outer(y, y) / rows) / np.sqrt(rows)
    along_x = np.exp(2j * np.pi * np.outer(x, x) / columns) / np.sqrt(columns)
    return np.einsum("ab,...bc,cd->...ad", along_y, kspace, along_x)


def slow_fft(image: np.ndarray) -> np.ndarray:
    return slow_ifft(image.conj()).conj()


def slow_block(image: Tensor, first: Tensor, second: Tensor) -> Tensor:
    for kernel in (first, second):
        image = slow_norm(F.conv2d(image, kernel, padding=1))
    return image


def slow_norm(image: Tensor) -> Tensor:
    """Every channel of every item to mean 0 and variance 1; a fifth of what is below 0."""
    out = torch.empty_like(image)
    for item in range(len(image)):
        for channel in range(image.shape[1]):
            values = image[item, channel].double()
            values = (values - values.mean()) / (
                ((values - values.mean()) ** 2).mean() + 1e-5
            ) ** 0.5
            out[item, channel] = torch.where(values > 0, values, 0.2 * values).float()
    return out


def slow_unet(image: Tensor, weights: dict[str, Tensor], levels: int) -> Tensor:
    kept = []
    for level in range(levels):
        image = slow_block(
            image, weights[f"down.{level}.conv1.weight"], weights[f"down.{level}.conv2.weight"]
        )
        kept.append(image)
        image = (
            image[..., ::2, ::2] + image[..., 1::2, ::2] + image[..., ::2, 1::2]
            + image[..., 1::2, 1::2]
        ) / 4  # fmt: skip
    image = slow_block(image, weights["middle.conv1.weight"], weights["middle.conv2.weight"])
    for step in range(levels):
        kernel = weights[f"enlarge.{step}.conv.weight"]
        larger = torch.zeros(len(image), kernel.shape[1], 2 * image.shape[2], 2 * image.shape[3])
        for i in range(2):
            for j in range(2):
                larger[..., i::2, j::2] = torch.einsum("bayx,ac->bcyx", image, kernel[:, :, i, j])
        image = torch.cat([slow_norm(larger), kept[levels - 1 - step]], 1)
        image = slow_block(
            image, weights[f"up.{step}.conv1.weight"], weights[f"up.{step}.conv2.weight"]
        )
    return F.conv2d(image, weights["last.weight"], weights["last.bias"])


def slow_prior(image: np.ndarray, weights: dict[str, Tensor], levels: int) -> np.ndarray:
    """One complex image through the normalised U-Net; 21 x 34 becomes 32 x 48 with air around."""
    parts = torch.from_numpy(np.stack([image.real, image.imag])).float()
    mean = parts.mean((1, 2), keepdim=True)
    spread = (((parts - mean) ** 2).sum((1, 2), keepdim=True) / (image.size - 1)) ** 0.5
    air = torch.zeros(1, 2, 32, 48)
    air[0, :, 5 : 5 + 21, 7 : 7 + 34] = (parts - mean) / spread
    said = slow_unet(air, weights, levels)[0, :, 5 : 5 + 21, 7 : 7 + 34] * spread + mean
    return (said[0] + 1j * said[1]).numpy()


def below(weights: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {n.removeprefix(start): v for n, v in weights.items() if n.startswith(start)}


def test_the_network_is_what_is_written_out_slowly(net: VarNet) -> None:
    kspace, mask = measured()
    weights = {name: value.detach().clone() for name, value in net.state_dict().items()}
    data, places = kspace[0].numpy().astype(complex), mask[0].numpy()
    centre = data.copy()
    centre[..., :12], centre[..., 22:] = 0, 0
    coils = [slow_prior(image, below(weights, "maps.unet."), 1) for image in slow_ifft(centre)]
    maps = np.stack(coils) / np.sqrt(sum(np.abs(coil) ** 2 for coil in coils))
    current = data
    for number in range(2):
        own = below(weights, f"cascades.{number}.")
        image = (maps.conj() * slow_ifft(current)).sum(0)
        said = slow_prior(image, below(own, "prior.unet."), 2)
        pull = float(own["data_weight"]) * (current - data) * places
        current = current - pull - slow_fft(maps * said)
    wanted = np.sqrt((np.abs(slow_ifft(current)) ** 2).sum(0))
    with torch.inference_mode():
        found = net(kspace, mask)[0].numpy()
    assert np.abs(found - wanted).max() < 2e-4 * wanted.max()


def test_the_weight_of_the_data_pulls_towards_them() -> None:
    """A cascade whose prior says nothing keeps to what was measured, in equal parts."""
    net = build(SMALL, seed=1).eval()
    cascade = net.cascades[0]
    kspace, mask = measured()
    start = kspace + 1.0
    with torch.inference_mode():
        cascade.data_weight.fill_(0.25)
        maps = torch.zeros_like(kspace)
        moved = cascade(start, kspace, mask[:, None], maps)
    wanted = torch.where(mask[:, None], kspace + 0.75, start)
    assert torch.allclose(moved, wanted, atol=1e-6)


@pytest.mark.parametrize("factor", [1e-6, 1e5])
def test_brightness_comes_back(net: VarNet, factor: float) -> None:
    kspace, mask = measured()
    with torch.inference_mode():
        plain, scaled = net(kspace, mask), net(kspace * factor, mask)
    assert torch.allclose(scaled / factor, plain, rtol=1e-4, atol=1e-4 * float(plain.max()))


def test_coils_that_saw_nothing_change_nothing(net: VarNet) -> None:
    kspace, mask = measured()
    more = F.pad(kspace, (0, 0, 0, 0, 0, 2))
    with torch.inference_mode():
        alone, among = net.filled(kspace, mask), net.filled(more, mask)
    assert torch.allclose(among.kspace[:, :3], alone.kspace, atol=1e-5)
    assert bool((among.kspace[:, 3:] == 0).all())
    assert bool((among.maps[:, 3:] == 0).all())


def test_coils_that_saw_nothing_leave_gradients_finite(net: VarNet) -> None:
    kspace, mask = measured()
    own = build(SMALL, seed=3)
    own(F.pad(kspace, (0, 0, 0, 0, 0, 2)), mask).sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in own.parameters())


def test_the_order_of_coils_does_not_matter(net: VarNet) -> None:
    kspace, mask = measured()
    with torch.inference_mode():
        plain, turned = net(kspace, mask), net(kspace[:, [2, 0, 1]], mask)
    assert torch.allclose(turned, plain, atol=1e-4 * float(plain.max()))


def test_maps_have_norm_one(net: VarNet) -> None:
    with torch.inference_mode():
        maps = net.filled(*measured()).maps
    assert torch.allclose(maps.abs().square().sum(1), torch.ones(1, 21, 34), atol=1e-4)


def places_by_hand(mask: np.ndarray) -> np.ndarray:
    """Columns to either side of the middle while both are full, else the square likewise."""
    rows, columns = mask.shape
    for axis_is_columns in (True, False):
        n, kept = 0, np.zeros_like(mask)
        while True:
            part = np.zeros_like(mask)
            up = (
                slice(None)
                if axis_is_columns
                else slice(max(0, rows // 2 - n - 1), rows // 2 + n + 1)
            )
            part[up, max(0, columns // 2 - n - 1) : columns // 2 + n + 1] = True
            if not mask[part].all() or (part == kept).all():
                break
            n, kept = n + 1, part
        if n:
            return kept
    return kept


@pytest.mark.parametrize("seed", range(12))
def test_calibration_places_are_those_counted_by_hand(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(5, 13)), int(rng.integers(5, 13))
    mask = rng.random((rows, columns)) < 0.9
    if seed % 2:
        mask = np.broadcast_to(rng.random(columns) < 0.7, (rows, columns)).copy()
        mask[:, columns // 2 - 2 : columns // 2 + int(rng.integers(1, 3))] = True
    if seed % 4 == 2:
        mask[rows // 2 - 2 : rows // 2 + 2, columns // 2 - 2 : columns // 2 + 2] = True
    found = calibration_places(torch.from_numpy(mask)[None])[0].numpy()
    assert np.array_equal(found, places_by_hand(mask))


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(UsageError, match="n_levels is 0"):
        Config(n_levels=0)


def public_names(config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of fastMRI's own state dict, written down level by level."""

    def unet(start: str, width: int, levels: int) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}

        def block(name: str, n: int, m: int) -> None:
            found[f"{start}{name}.layers.0.weight"] = (m, n, 3, 3)
            found[f"{start}{name}.layers.4.weight"] = (m, m, 3, 3)

        for level in range(levels):
            n = 2 if level == 0 else width * 2 ** (level - 1)
            block(f"down_sample_layers.{level}", n, width * 2**level)
        block("conv", width * 2 ** (levels - 1), width * 2**levels)
        for step in range(levels):
            m = width * 2 ** (levels - 1 - step)
            found[f"{start}up_transpose_conv.{step}.layers.0.weight"] = (2 * m, m, 2, 2)
            block(f"up_conv.{step}" + (".0" if step == levels - 1 else ""), 2 * m, m)
        found[f"{start}up_conv.{levels - 1}.1.weight"] = (2, width, 1, 1)
        found[f"{start}up_conv.{levels - 1}.1.bias"] = (2,)
        return found

    names = unet("sens_net.norm_unet.unet.", config.map_width, config.map_levels)
    for number in range(config.n_cascades):
        names[f"cascades.{number}.dc_weight"] = (1,)
        names |= unet(f"cascades.{number}.model.unet.", config.width, config.n_levels)
    return names


def made_public(prefix: str = "") -> dict[str, Tensor]:
    rng = generator(4)
    return {
        prefix + name: torch.randn(shape, generator=rng) * 0.3
        for name, shape in public_names(SMALL).items()
    }


def saved(tensors: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "public.safetensors"
    safetensors.torch.save_file(tensors, path)
    return path


@pytest.mark.parametrize("prefix", ["", "varnet.", "module.", "module.varnet."])
def test_weights_in_the_names_of_fastmri_are_taken(prefix: str, tmp_path: Path) -> None:
    tensors = made_public(prefix)
    if prefix:
        tensors["loss.w"] = torch.ones(1, 1, 7, 7)
    net = from_public(saved(tensors, tmp_path))
    assert net.config == SMALL
    own = net.state_dict()
    pairs = {
        "cascades.1.data_weight": "cascades.1.dc_weight",
        "maps.unet.down.0.conv2.weight":
            "sens_net.norm_unet.unet.down_sample_layers.0.layers.4.weight",
        "maps.unet.last.bias": "sens_net.norm_unet.unet.up_conv.0.1.bias",
        "maps.unet.up.0.conv1.weight": "sens_net.norm_unet.unet.up_conv.0.0.layers.0.weight",
        "cascades.0.prior.unet.middle.conv1.weight": "cascades.0.model.unet.conv.layers.0.weight",
        "cascades.0.prior.unet.up.0.conv2.weight":
            "cascades.0.model.unet.up_conv.0.layers.4.weight",
        "cascades.0.prior.unet.enlarge.1.conv.weight":
            "cascades.0.model.unet.up_transpose_conv.1.layers.0.weight",
        "cascades.0.prior.unet.last.weight": "cascades.0.model.unet.up_conv.1.1.weight",
    }  # fmt: skip
    for mine, theirs in pairs.items():
        assert torch.equal(own[mine], tensors[prefix + theirs]), mine
    assert len(own) == len(public_names(SMALL))


def test_the_constant_of_older_checkpoints_is_passed_over(tmp_path: Path) -> None:
    tensors = made_public() | {f"cascades.{i}.zero": torch.zeros(1, 1, 1, 1, 1) for i in range(2)}
    assert from_public(saved(tensors, tmp_path)).config == SMALL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cascades.1.dc_weight": None}, "lacks cascades.1.data_weight"),
        ({"cascades.0.more": torch.ones(2)}, r"also holds cascades\.0\.more"),
        ({"cascades.1.dc_weight": torch.ones(2)}, "cascades.1.data_weight is 2"),
        ({"cascades.1.dc_weight": torch.tensor([torch.nan])}, "is not finite"),
        ({"sens_net.norm_unet.unet.down_sample_layers.0.layers.0.weight": None}, "neither"),
    ],
)
def test_other_weights_are_refused(
    change: dict[str, Tensor | None], said: str, tmp_path: Path
) -> None:
    tensors = {n: v for n, v in (made_public() | change).items() if v is not None}
    with pytest.raises(BadCheckpoint, match=said):
        from_public(saved(tensors, tmp_path))


def test_a_pickle_is_never_loaded_and_the_sentence_says_how_to_convert(tmp_path: Path) -> None:
    path = tmp_path / "knee_leaderboard_state_dict.pt"
    torch.save(made_public(), path)
    with pytest.raises(BadCheckpoint, match=r"never loaded.*safetensors\.torch\.save_file"):
        from_public(path)
