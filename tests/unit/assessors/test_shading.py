"""Trees that say what shading does to a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.assessors._outputs import OUTPUTS, TYPES, split_outputs
from isocenter.assessors._shading import shading_tensors, shading_trees, with_trees
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint
from isocenter.ops.trees import LEAF, Trees

BIAS = TYPES.index("bias")
TREES = Trees(
    # One question: is the head lit from the right?
    roots=np.array([0], np.int32),
    column=np.array([4, LEAF, LEAF], np.int16),
    number=np.array([0.0, 1.0, 3.0], np.float32),
    left=np.array([1, 0, 0], np.int32),
)


def kept(trees: Trees, path: Path) -> Checkpoint:
    """A checkpoint with these trees, as it comes back from a file."""
    tensors = {f"fitted.{name}": value for name, value in shading_tensors(trees).items()}
    Checkpoint("hsfnet", {}, {}, {}, {}, {}, tensors).save(path, dtype=torch.float16)
    return Checkpoint.load(path)


def test_the_trees_speak_for_shading_and_nothing_else() -> None:
    outputs = torch.randn(2, sum(OUTPUTS.values()), generator=generator(1))
    shading = torch.zeros(2, 13)
    shading[1, 4] = 0.5
    mixed = with_trees(outputs, shading, TREES)
    before, after = split_outputs(outputs), split_outputs(mixed)
    assert after.alone[:, BIAS].tolist() == [1.0, 3.0]
    others = [i for i in range(len(TYPES)) if i != BIAS]
    assert torch.equal(before.alone[:, others], after.alone[:, others])
    assert torch.equal(before.levels, after.levels)
    assert torch.equal(before.quality, after.quality)


def test_one_scan_is_heard_as_many_are() -> None:
    outputs = torch.randn(3, sum(OUTPUTS.values()), generator=generator(2))
    shading = torch.randn(3, 13, generator=generator(3))
    rows = with_trees(outputs, shading, TREES)
    for i in range(3):
        assert torch.equal(with_trees(outputs[i], shading[i], TREES), rows[i])


def test_trees_survive_a_file(tmp_path: Path) -> None:
    again = shading_trees(kept(TREES, tmp_path / "trees.safetensors"))
    values = torch.randn(20, 13, generator=generator(4)).numpy()
    assert np.array_equal(again(values), TREES(values))


def test_weights_without_trees_or_with_broken_ones_are_refused(tmp_path: Path) -> None:
    plain = Checkpoint("hsfnet", {}, {}, {}, {}, {}, {"weight": torch.zeros(2)})
    with pytest.raises(BadCheckpoint, match="lack 'fitted.shading.roots'"):
        shading_trees(plain)
    beyond = Trees(TREES.roots, np.array([13, LEAF, LEAF], np.int16), TREES.number, TREES.left)
    with pytest.raises(BadCheckpoint, match="do not fit together"):
        shading_trees(kept(beyond, tmp_path / "beyond.safetensors"))
