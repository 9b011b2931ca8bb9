"""Public weights: names as timm and torchvision give them, refused when anything differs."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint
from isocenter.nets._blocks.pretrained import load_resnet, load_vit
from isocenter.nets._blocks.resnet import ResNet
from isocenter.nets._blocks.vit import VisionTransformer
from isocenter.nets.miqanet import Config, build

Shapes = dict[str, tuple[int, ...]]


def timm_shapes(width: int, depth: int, side: int, n_classes: int) -> Shapes:
    """What timm's ``vit_*_patch8_*`` files hold, written down without our network."""
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, (side // 8) ** 2 + 1, width),
        "patch_embed.proj.weight": (width, 3, 8, 8),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (n_classes, width),
        "head.bias": (n_classes,),
    }
    for i in range(depth):
        for norm in ("norm1", "norm2"):
            shapes |= {f"blocks.{i}.{norm}.{part}": (width,) for part in ("weight", "bias")}
        for layer, n_in, n_out in (
            ("attn.qkv", width, 3 * width),
            ("attn.proj", width, width),
            ("mlp.fc1", width, 4 * width),
            ("mlp.fc2", 4 * width, width),
        ):
            shapes[f"blocks.{i}.{layer}.weight"] = (n_out, n_in)
            shapes[f"blocks.{i}.{layer}.bias"] = (n_out,)
    return shapes


def torchvision_shapes(width: int) -> Shapes:
    """What torchvision's ``resnet18`` files hold."""
    shapes: Shapes = {"conv1.weight": (width, 3, 7, 7), "fc.weight": (1000, 8 * width)}
    shapes["fc.bias"] = (1000,)
    shapes |= batch_norm("bn1", width)
    before = width
    for stage in range(1, 5):
        own = width * 2 ** (stage - 1)
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (own, before, 3, 3)
            shapes[f"{name}.conv2.weight"] = (own, own, 3, 3)
            shapes |= batch_norm(f"{name}.bn1", own) | batch_norm(f"{name}.bn2", own)
            if before != own:
                shapes[f"{name}.downsample.0.weight"] = (own, before, 1, 1)
                shapes |= batch_norm(f"{name}.downsample.1", own)
            before = own
    return shapes


def batch_norm(name: str, width: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def made(shapes: Shapes) -> dict[str, Tensor]:
    rng = generator(1)
    return {name: torch.rand(shape, generator=rng) for name, shape in shapes.items()}


def saved(tensors: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "weights.safetensors"
    path.write_bytes(safetensors.torch.save(tensors))
    return path


@pytest.fixture
def vit() -> VisionTransformer:
    return VisionTransformer(side=32, width=12, depth=2, n_heads=2)


def test_weights_of_timm_go_where_their_names_say(vit: VisionTransformer, tmp_path: Path) -> None:
    tensors = made(timm_shapes(12, 3, 32, 10))
    load_vit(vit, saved(tensors, tmp_path))
    for name, value in vit.state_dict().items():
        assert torch.equal(value, tensors[name]), name


def test_weights_of_torchvision_go_where_their_names_say(tmp_path: Path) -> None:
    tensors = made(torchvision_shapes(4))
    net = ResNet(18, n_dims=2, n_inputs=3, width=4, pool=False)
    load_resnet(net, saved(tensors, tmp_path))
    for name, value in net.state_dict().items():
        assert torch.equal(value.float(), tensors[name].to(value.dtype).float()), name


def test_old_files_do_not_count_batches(tmp_path: Path) -> None:
    tensors = made(torchvision_shapes(4))
    old = {name: value for name, value in tensors.items() if not name.endswith("tracked")}
    net = ResNet(18, n_dims=2, n_inputs=3, width=4)
    load_resnet(net, saved(old, tmp_path))
    assert torch.equal(net.layer3[1].bn2.running_var, tensors["layer3.1.bn2.running_var"])


def test_half_precision_is_taken(vit: VisionTransformer, tmp_path: Path) -> None:
    tensors = {name: value.half() for name, value in made(timm_shapes(12, 2, 32, 10)).items()}
    load_vit(vit, saved(tensors, tmp_path))
    assert vit.pos_embed.dtype == torch.float32
    assert torch.equal(vit.pos_embed, tensors["pos_embed"].float())


def test_the_trunks_of_a_whole_network_take_public_weights(tmp_path: Path) -> None:
    small = {"side": 32, "width": 16, "n_heads": 2, "depth": 3, "taps": (0, 1), "cnn_width": 4}
    for mode in ("reference", "improved"):
        net = build(Config(mode=mode, **small))
        tensors = made(timm_shapes(16, 3, 32, 1000))
        load_vit(net.vit, saved(tensors, tmp_path))
        assert torch.equal(net.vit.blocks[1].mlp.fc2.bias, tensors["blocks.1.mlp.fc2.bias"])
    net = build(Config(fusion="layer3", **small))
    load_resnet(net.cnn, saved(made(torchvision_shapes(4)), tmp_path))


def test_positions_of_another_grid_are_refused(vit: VisionTransformer, tmp_path: Path) -> None:
    path = saved(made(timm_shapes(12, 2, 64, 10)), tmp_path)
    with pytest.raises(BadCheckpoint, match="positions is for 64 patches, the network has 16"):
        load_vit(vit, path)


def test_a_name_too_few_or_too_many_is_refused(vit: VisionTransformer, tmp_path: Path) -> None:
    tensors = made(timm_shapes(12, 2, 32, 10))
    gone = tensors.pop("blocks.1.attn.qkv.bias")
    with pytest.raises(BadCheckpoint, match=r"lacks blocks\.1\.attn\.qkv\.bias: .* another"):
        load_vit(vit, saved(tensors, tmp_path))
    tensors |= {"blocks.1.attn.qkv.bias": gone, "blocks.1.ls1.gamma": gone.clone()}
    with pytest.raises(BadCheckpoint, match=r"also holds blocks\.1\.ls1\.gamma"):
        load_vit(vit, saved(tensors, tmp_path))


def test_another_size_is_refused(vit: VisionTransformer, tmp_path: Path) -> None:
    tensors = made(timm_shapes(12, 2, 32, 10)) | {"cls_token": torch.zeros(1, 1, 13)}
    with pytest.raises(BadCheckpoint, match="cls_token is 1 x 1 x 13, the network has 1 x 1 x 12"):
        load_vit(vit, saved(tensors, tmp_path))


def test_what_is_not_finite_is_refused_and_nothing_is_changed(
    vit: VisionTransformer, tmp_path: Path
) -> None:
    before = vit.cls_token.clone()
    tensors = made(timm_shapes(12, 2, 32, 10))
    tensors["pos_embed"][0, 0, 0] = torch.nan
    with pytest.raises(BadCheckpoint, match="pos_embed is not finite"):
        load_vit(vit, saved(tensors, tmp_path))
    assert torch.equal(vit.cls_token, before)


def test_a_missing_file_is_one_sentence(vit: VisionTransformer, tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match=r"no weights at .*nothing.safetensors: `isocenter mod"):
        load_vit(vit, tmp_path / "nothing.safetensors")


def test_a_pickle_is_never_loaded(vit: VisionTransformer, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(BadCheckpoint, match="pickled weights are never loaded"):
        load_vit(vit, path)
