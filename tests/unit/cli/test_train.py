"""``isocenter train`` and ``isocenter evaluate``: folders, lines, exit codes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from isocenter.cli._app import run
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.phantom import head_phantom
from isocenter.training.answers import scoring
from tests.unit.training import toys
from tests.unit.training.toys import ToyRecipe, install, make_people, one_thread

TRAINED = {
    "best.safetensors", "curve.html", "curve.tsv", "model.safetensors", "recipe.json", "scratch",
    "split.json", "state.safetensors",
}  # fmt: skip
JUDGED = {"outcomes-test.tsv", "outcomes-train.tsv", "scores.json", "scores.md"}


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    install(monkeypatch)
    monkeypatch.setattr(scoring, "N_DRAWS", 20)
    with one_thread():
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_people(tmp_path / "data")


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def train(data: Path, out: Path, *more: str) -> int:
    return run(["train", "toy", str(data), "--out", str(out), "--device", "cpu", *more])


def test_a_run_is_trained_and_judged(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs/a"
    assert train(data, out) == 0
    told = capsys.readouterr().out
    assert "step 20/20  loss" in told
    assert told.endswith(f"trained: {out}/model.safetensors\n")
    assert names(out) == TRAINED
    sides = json.loads((out / "split.json").read_text())["sides"]
    assert sides["test"] == ["sub-0", "sub-3", "sub-6"]
    card = Checkpoint.load(out / "model.safetensors").card
    assert card["split"] == sides
    assert card["recipe"] == "toy"
    assert card["values"]["schedule"]["n_steps"] == 20

    assert run(["evaluate", str(out), "--device", "cpu"]) == 0
    shown = capsys.readouterr()
    assert names(out) == TRAINED | JUDGED
    assert shown.out == (out / "scores.md").read_text()
    assert "24 items of 3 people" in shown.out
    assert "| figure | a | constant |" in shown.out
    assert shown.err == "3 people\n3 people\n"
    assert run(["evaluate", str(out), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert [method["name"] for method in scores["methods"]] == ["a", "constant"]
    learned, constant = (method["figures"]["RMSE"]["value"] for method in scores["methods"])
    assert learned < constant

    assert train(data, out) == 0
    assert "nothing is left to train" in capsys.readouterr().out


def test_folds_are_pooled_and_compared(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = ["--set", "schedule.n_steps=2"]
    folds = [tmp_path / f"fold-{i}" for i in range(3)]
    for i, out in enumerate(folds):
        assert train(data, out, *short, "--set", f"fold={i}") == 0
    other = tmp_path / "other"
    assert train(data, other, *short, "--set", "seed=9", "--set", "fold=1") == 0
    capsys.readouterr()
    assert run(["evaluate", *map(str, folds), "--json"]) == 0
    pooled = json.loads(capsys.readouterr().out)
    assert (pooled["n"], pooled["people"]) == (72, 9)
    assert pooled["methods"][0]["name"] == "fold-0 (3 folds)"
    assert run(["evaluate", *map(str, folds), str(other), "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert [m["name"] for m in compared["methods"]] == ["fold-0 (3 folds)", "other", "constant"]
    assert (compared["n"], compared["people"]) == (24, 3)
    assert "difference" in compared["methods"][1]["figures"]["SROCC"]


def test_an_interrupted_run_resumes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert train(data, whole) == 0
    n_losses, original = 0, toys.loss

    def interrupting(
        net: torch.nn.Module, batch: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        nonlocal n_losses
        n_losses += 1
        if n_losses == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return original(net, batch)

    monkeypatch.setattr(toys, "loss", interrupting)
    assert train(data, cut) == 130
    assert "stopped at step 13; resume with the same command\n" in capsys.readouterr().out
    assert not (cut / "model.safetensors").exists()
    assert run(["evaluate", str(cut)]) == 4
    assert "not trained to its end" in capsys.readouterr().err
    assert train(data, cut) == 0
    assert "goes on behind step 13\n" in capsys.readouterr().out
    models = [Checkpoint.load(out / "model.safetensors").tensors for out in (whole, cut)]
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())


def test_another_run_in_the_same_folder_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, short = tmp_path / "run", ["--set", "schedule.n_steps=2"]
    assert train(data, out, *short) == 0
    before = {name: (out / name).read_bytes() for name in TRAINED - {"scratch"}}
    assert train(data, out, *short, "--set", "seed=3") == 2
    assert "seed is 3 and was 7" in capsys.readouterr().err
    assert run(["train", "assessor", str(data), "--out", str(out)]) == 2
    assert "trains the recipe 'toy', not 'assessor'" in capsys.readouterr().err
    (data / "sub-3.txt").unlink()
    assert train(data, out, *short) == 2
    assert "sub-3 of split.json cannot be found" in capsys.readouterr().err
    (data / "sub-3.txt").write_text("")
    (data / "sub-99.txt").write_text("")
    assert train(data, out, *short) == 2
    assert "sub-99 came to" in capsys.readouterr().err
    assert {name: (out / name).read_bytes() for name in before} == before


def test_people_on_two_sides_are_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {"train": ("sub-1", "sub-2"), "test": ("sub-2",)}
    monkeypatch.setattr(ToyRecipe, "split", lambda self, data: sides)
    assert train(data, tmp_path / "run") == 2
    assert "sub-2 stands in train and in test" in capsys.readouterr().err
    monkeypatch.setattr(ToyRecipe, "split", lambda self, data: {"train": ("sub-77",)})
    assert train(data, tmp_path / "run") == 2
    assert "sub-77 of the recipe's split cannot be found" in capsys.readouterr().err
    assert names(tmp_path / "run") == set()


def test_a_loss_that_is_no_number_leaves_with_7(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "run", "--set", "faults=50") == 7
    told = capsys.readouterr().err
    assert "the loss is not finite at step 13, examples 48, 49, 50, 51" in told
    assert "state.safetensors holds the last good state" in told
    assert not (tmp_path / "run/model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tyo", "DATA"], "no recipe 'tyo'; did you mean 'toy'?"),
        (["toy", "DATA", "--set", "sede=1"], "did you mean 'seed'?"),
        (["toy", "DATA", "--set", "seed=one"], "seed is 'one': give a whole number"),
        (["toy", "DATA", "--devices", "0"], "--devices is 0"),
        (["toy", "DATA", "--workers", "-1"], "--workers is -1"),
    ],
)
def test_wrong_usage_leaves_no_folder(
    words: list[str], told: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(data) if word == "DATA" else word for word in words]
    assert run(["train", *given, "--out", str(tmp_path / "run")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_without_people_or_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert train(tmp_path / "empty", tmp_path / "run") == 4
    assert "no person in" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path / "empty")]) == 4
    assert "holds no run" in capsys.readouterr().err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "recipes"]) == 0
    listed = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert listed["assessor"] == "The shipped assessor: the improved HSFNet on simulated damage."
    assert listed["toy"] == "from another package"


@pytest.mark.slow
def test_the_shipped_recipe_runs_at_a_tiny_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data/brains").mkdir(parents=True)
    for i in range(4):
        scan = head_phantom((40, 44, 36 + i))
        write(scan, tmp_path / f"data/brains/sub-0{i}_T1w.nii.gz")
    small = [
        "schedule.n_steps=2", "schedule.batch=2", "n_slabs=2", "preprocess.side=32",
        "config.dims=8,16", "config.depths=1,1", "config.n_features=8,8", "config.stem=4",
        "config.n_states=2", "fixed=[]",
        'shares=[["train", 0.5], ["validation", 0.25], ["test", 0.25]]',
    ]  # fmt: skip
    words = [word for setting in small for word in ("--set", setting)]
    out = tmp_path / "run"
    given = ["train", "assessor", str(tmp_path / "data"), "--out", str(out), "--device", "cpu"]
    assert run([*given, *words]) == 0
    assert run(["evaluate", str(out), "--device", "cpu"]) == 0
    assert "25 items of 1 people" in capsys.readouterr().out
