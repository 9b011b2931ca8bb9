"""Networks that the one for thick slices is compared with: from scans to files that it reads."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.data.random import child, generator
from isocenter.data.volume import Volume
from isocenter.restorers import enhance, siqt
from tests.tool_modules import tool_module

NETS = ("aniso_unet", "espcn", "iso_unet", "sr_unet")
Train = Callable[..., dict[str, Checkpoint]]
SMALL = ["--ratio", "2", "--side", "48", "--batch", "2", "--n-examples", "4"]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return tool_module("train_enhancement_baselines")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people."""
    folder = tmp_path_factory.mktemp("data") / "brains"
    folder.mkdir()
    for person in range(3):
        phantom = head_phantom((52, 52, 52), 2.0)
        noise = torch.randn(phantom.shape, generator=child(generator(1), "person", person))
        image = dataclasses.replace(phantom, data=(phantom.data + 5 * noise).clamp_min(0))
        write(image, folder / f"sub-{person:02d}_T1w.nii.gz")
    return folder.parent


@pytest.fixture
def train(tool: ModuleType, data: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    monkeypatch.setattr(tool.torch, "set_num_threads", lambda _: None)

    def run(out: Path, *words: str) -> dict[str, Checkpoint]:
        given = ["--data", data, "--out", out, "--packed", data / "packed.safetensors"]
        monkeypatch.setattr(sys, "argv", ["tool", *map(str, given), *SMALL, *words])
        tool.main()
        return {name: Checkpoint.load(out / f"{name}-2.safetensors") for name in NETS}

    return run


def test_they_begin_as_cubic_splines_and_learn(train: Train, tmp_path: Path) -> None:
    begun = train(tmp_path / "begun", "--minutes", "0")
    learned = train(tmp_path / "learned", "--minutes", "0.01")
    scan = head_phantom((32, 32, 16))
    affine = scan.affine @ np.diag([1.0, 1.0, 2.0, 1.0])
    thick = Volume(scan.data, affine, "T1w", scan.history)
    for name in NETS:
        assert begun[name].outputs == learned[name].outputs == {"thin": ["correction"]}
        assert (begun[name].card["steps"], learned[name].card["steps"] > 0) == (0, True)
        assert any(
            not torch.equal(value, learned[name].tensors[key])
            for key, value in begun[name].tensors.items()
        )
        options = siqt.Options(weights=str(begun[name].path))
        made = enhance(thick, "siqt", options, rng=generator(0))
        gap = (made.image.data - made.interpolated.data)[made.image.data != 0]
        assert float(gap.abs().max()) < 1


def test_as_published_they_say_the_image(train: Train, tmp_path: Path) -> None:
    made = train(tmp_path, "--says", "mean", "--minutes", "0")
    assert all(checkpoint.outputs == {"thin": ["mean"]} for checkpoint in made.values())
    last = [value for value in made["espcn"].tensors.values() if value.ndim == 5][-1]
    assert bool((last != 0).any())
