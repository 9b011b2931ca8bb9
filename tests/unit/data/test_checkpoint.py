"""Checkpoints: what is saved comes back, and nothing else is ever loaded."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from isocenter.data.checkpoint import Checkpoint
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint


def made() -> Checkpoint:
    rng = generator(0)
    tensors = {
        "weight": torch.randn(2, 3, generator=rng),
        "bias": torch.randn(2, generator=rng),
        "fitted.mean": torch.randn(4, generator=rng),
    }
    outputs = {"quality": {"better": "higher", "range": [0, 1]}}
    return Checkpoint("linear", {"n": 3}, {}, outputs, {}, {"licence": "x"}, tensors)


def test_round_trip(tmp_path: Path) -> None:
    before = made()
    after = Checkpoint.load(before.save(tmp_path / "a.safetensors"))
    assert after.config == before.config
    assert after.card == before.card
    assert all(torch.equal(after.tensors[k], v) for k, v in before.tensors.items())
    net = torch.nn.Linear(3, 2)
    after.load_into(net)
    assert torch.equal(net.weight, before.tensors["weight"])
    assert torch.equal(after.fitted("mean"), before.tensors["fitted.mean"])


def test_half_precision_spares_vectors_and_what_was_fitted(tmp_path: Path) -> None:
    before = made()
    after = Checkpoint.load(before.save(tmp_path / "a.safetensors", dtype=torch.float16))
    assert torch.equal(after.tensors["weight"], before.tensors["weight"].half().float())
    assert torch.equal(after.tensors["bias"], before.tensors["bias"])
    assert torch.equal(after.fitted("mean"), before.fitted("mean"))


def test_same_content_same_bytes(tmp_path: Path) -> None:
    paths = [made().save(tmp_path / f"{name}.safetensors") for name in "ab"]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path(tmp_path / "sprung").touch, ())

    file = tmp_path / "weights.safetensors"
    file.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BadCheckpoint, match="not a safetensors file"):
        Checkpoint.load(file)
    torch.save({"a": torch.ones(1)}, file)
    with pytest.raises(BadCheckpoint, match="not a safetensors file"):
        Checkpoint.load(file)
    assert not (tmp_path / "sprung").exists()


def test_absurd_header_is_refused_before_allocation(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    with pytest.raises(BadCheckpoint, match="not a safetensors file"):
        Checkpoint.load(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint, match="no weights at"):
        Checkpoint.load(tmp_path / "nowhere.safetensors")


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    file.write_bytes(safetensors.torch.save({"weight": torch.ones(2)}))
    with pytest.raises(BadCheckpoint, match="no Isocenter header"):
        Checkpoint.load(file)


def test_other_format_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    header = {"isocenter": json.dumps({"format": "isocenter-checkpoint-99"})}
    file.write_bytes(safetensors.torch.save({"weight": torch.ones(2)}, header))
    with pytest.raises(BadCheckpoint, match="checkpoint-99"):
        Checkpoint.load(file)


def test_flipped_bit_is_seen(tmp_path: Path) -> None:
    file = made().save(tmp_path / "a.safetensors")
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(BadCheckpoint, match="checksum"):
        Checkpoint.load(file)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = made()
    broken.tensors["bias"][0] = torch.nan  # type: ignore[index]
    with pytest.raises(BadCheckpoint, match="bias are not finite"):
        Checkpoint.load(broken.save(tmp_path / "a.safetensors"))


def test_what_was_never_fitted_is_named(tmp_path: Path) -> None:
    loaded = Checkpoint.load(made().save(tmp_path / "net.safetensors"))
    with pytest.raises(BadCheckpoint, match="no 'presence_bias': calibrate"):
        loaded.fitted("presence_bias")


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    loaded = Checkpoint.load(made().save(tmp_path / "a.safetensors"))
    with pytest.raises(BadCheckpoint, match="do not fit"):
        loaded.load_into(torch.nn.Linear(4, 2))
