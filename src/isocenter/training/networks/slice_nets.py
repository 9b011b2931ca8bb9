"""Networks that judge single slices, by name and size, so that one recipe trains any of them."""

from dataclasses import fields
from typing import Any, Literal

from torch import nn

from isocenter.errors import UnknownName, UsageError
from isocenter.registry import Registry

__all__ = ["SIZES", "SLICE_NETS", "Size", "build_slice_net"]

Size = Literal["small", "published"]
SIZES: tuple[Size, ...] = ("small", "published")
NETS = Registry("net", "nets")

SLICE_NETS: dict[str, tuple[str, dict[Size, dict[str, Any]]]] = {
    "cnniqa": ("cnniqa", {"published": {}, "small": {"n_filters": 32, "n_hidden": 64}}),
    "dbcnn": (
        "dbcnn",
        {
            "published": {},
            "small": {
                "synthetic": (12, 12, 16, 16, 16, 16, 32, 32, 32),
                "authentic": (16, 24, 32, 48, 48),
                "depths": (1, 1, 2, 2, 2),
            },
        },
    ),
    "hyperiqa": (
        "hyperiqa",
        {
            "published": {},
            "small": {
                "depth": 18,
                "width": 16,
                "n_reduced": (64, 28),
                "n_local": 8,
                "local_widths": (8, 8, 16),
                "sizes": (56, 28, 14),
            },
        },
    ),
    "maniqa": (
        "miqanet",
        {
            "published": {"cnn": False, "scale": 0.8},
            "small": {
                "mode": "improved",
                "cnn": False,
                "side": 96,
                "width": 48,
                "depth": 3,
                "n_heads": 4,
                "taps": (0, 1, 2),
                "n_tabs": 1,
                "swin_depths": (2,),
                "swin_hidden": 48,
                "drop": 0.0,
                "drop_path": 0.05,
                "scale": 0.8,
                "scramble": False,
                "last": "softplus",
            },
        },
    ),
    "resnet18": ("resnet", {"published": {}, "small": {"width": 16}}),
    "two_stream": (
        "two_stream",
        {"published": {}, "small": {"widths": (8, 16, 32, 48), "n_region": 36, "n_hidden": 64}},
    ),
    "wadiqam": (
        "wadiqam",
        {"published": {}, "small": {"widths": (8, 16, 24, 32, 48), "n_hidden": 64}},
    ),
}
"""By name: the file in ``nets``, and what its ``Config`` gets for either size."""


def build_slice_net(
    name: str, size: str = "small", *, n_inputs: int = 1, n_outputs: int = 1, seed: int = 0
) -> nn.Module:
    """A network from images (B, n_inputs, H, W), brightness about 1, to (B, n_outputs).

    Images have sides of 32 pixels or more; of exactly 96 (``small``) or 224 for ``maniqa``.

    Args:
        name: One of ``SLICE_NETS``.
        size: ``"published"``, or ``"small"``: the same layers with few channels, to train
            without an accelerator.
        n_inputs: Channels of the images.
        n_outputs: 1 for a quality.
        seed: Decides the weights.

    Raises:
        UnknownName: No such network or size.
        UsageError: The network has one output, and more were asked for.
    """
    known = {key for key, (net, _) in SLICE_NETS.items() if net in NETS.names()}
    if name not in known:
        raise UnknownName("network of slices", name, known)
    net, settings = SLICE_NETS[name]
    chosen = next((each for each in SIZES if each == size), None)
    if chosen is None:
        raise UnknownName("size", size, SIZES)
    module = NETS.get(net)
    outputs = {"n_outputs": n_outputs}
    if "n_outputs" not in {field.name for field in fields(module.Config)}:
        if n_outputs != 1:
            raise UsageError(f"{name} has one output; got n_outputs={n_outputs}: choose another")
        outputs = {}
    config = module.Config(**settings[chosen], n_inputs=n_inputs, **outputs)
    built: nn.Module = module.build(config, seed=seed)
    return built
