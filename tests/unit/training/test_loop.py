"""The loop: exactly resumable, stopped early or by a fault, and the same in two processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from isocenter.data import atomic
from isocenter.data.random import generator
from isocenter.errors import BadCheckpoint, Diverged, MissingExtra, ResourceError, UsageError
from isocenter.training.engine import fabric as fabrics
from isocenter.training.engine._state import Progress
from isocenter.training.engine.chance import drawing_parts, drawn_from
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.recipe import Task
from isocenter.training.engine.schedule import Schedule
from tests.unit.training.toys import Lines, loss, one_thread, toy_net, validate

ROOT = Path(__file__).parents[3]
SCHEDULE = Schedule(
    n_steps=20, batch=4, warm_up=3, learning_rate=0.02, validate_every=8, save_every=5
)


def silent(line: str) -> None:
    pass


def trainer(
    folder: Path, schedule: Schedule = SCHEDULE, examples: Lines | None = None, **task: object
) -> Trainer:
    folder.mkdir(exist_ok=True)
    lines = examples or Lines(schedule.n_steps * schedule.batch)
    made = Task(toy_net(), lines, loss, validate)
    return Trainer(replace(made, **task), schedule, folder, make_fabric("cpu"), seed=7)


def curve(folder: Path) -> list[list[str]]:
    """Points without their seconds."""
    rows = [line.split("\t") for line in (folder / "curve.tsv").read_text().splitlines()]
    return [row[:3] + row[4:] for row in rows]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    tensors = safetensors.torch.load((folder / "state.safetensors").read_bytes())
    return {name: value for name, value in tensors.items() if name != "progress"}


def assert_same(one: Path, other: Path) -> None:
    assert curve(one) == curve(other)
    first, second = weights(one), weights(other)
    assert set(first) == set(second)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    best = [folder / "best.safetensors" for folder in (one, other)]
    assert best[0].read_bytes() == best[1].read_bytes()


@pytest.fixture(scope="module", autouse=True)
def quiet_machine() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(scope="module")
def whole(quiet_machine: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed training."""
    folder = tmp_path_factory.mktemp("training") / "whole"
    assert trainer(folder).run(say=silent)
    return folder


def test_it_learns_and_tells(tmp_path: Path) -> None:
    told: list[str] = []
    longer = replace(SCHEDULE, n_steps=40, validate_every=20, save_every=20)
    training = trainer(tmp_path, longer)
    assert training.run(say=told.append)
    first, last = training.progress.validations
    assert last > first > -2.5
    assert told[-1].startswith("step 40/40  loss ")
    assert "closeness -" in told[-1]
    assert told[-1].endswith("examples/s  0 s left")
    page = (tmp_path / "curve.html").read_text()
    assert page.count("<svg") == 3
    assert "http" not in page


def test_a_killed_training_goes_on_as_if_nothing_had_been(whole: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; import torch\n"
        "torch.set_num_threads(1)\n"
        "from tests.unit.training.test_loop import Lines, silent, trainer\n"
        "trainer(Path(sys.argv[1]), examples=Lines(80, killed=70)).run(say=silent)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "cut")], cwd=ROOT)
    assert run.returncode == -signal.SIGKILL
    again = trainer(tmp_path / "cut")
    assert again.resume()
    assert again.step == 16
    assert again.run(say=silent)
    assert_same(whole, tmp_path / "cut")


def test_workers_change_nothing(whole: Path, tmp_path: Path) -> None:
    trainer(tmp_path).run(n_workers=1, say=silent)
    assert_same(whole, tmp_path)


def test_an_interrupt_ends_the_step_and_saves(whole: Path, tmp_path: Path) -> None:
    training = trainer(tmp_path)
    steps: list[int] = []

    def interrupting(net: nn.Module, batch: object) -> torch.Tensor:
        steps.append(training.step)
        if training.step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return loss(net, batch)

    training.task = replace(training.task, loss=interrupting)
    before = signal.getsignal(signal.SIGINT)
    assert not training.run(say=silent)
    assert signal.getsignal(signal.SIGINT) is before
    assert steps[-1] == 6
    again = trainer(tmp_path)
    assert again.resume()
    assert again.step == 7
    assert again.run(say=silent)
    assert_same(whole, tmp_path)


def test_a_finished_training_stays_as_it_is(whole: Path) -> None:
    before = {file.name: file.read_bytes() for file in whole.iterdir()}
    again = trainer(whole)
    assert again.resume()
    assert again.run(say=silent)
    assert {file.name: file.read_bytes() for file in whole.iterdir()} == before


def test_the_best_averaged_weights_are_kept(tmp_path: Path) -> None:
    figures = iter([0.1, 0.3, float("nan"), 0.2])
    kept = []

    def judged(net: nn.Module) -> dict[str, float]:
        assert not net.training
        kept.append({name: value.clone() for name, value in net.state_dict().items()})
        return {"figure": next(figures)}

    training = trainer(tmp_path, replace(SCHEDULE, validate_every=5), validate=judged)
    training.run(say=silent)
    best = training.averaged()
    assert not best.training
    for name, value in best.state_dict().items():
        assert torch.equal(value, kept[1][name]), name
    assert not torch.equal(kept[1]["5.weight"], kept[3]["5.weight"])


def test_without_validation_the_last_average_counts(tmp_path: Path) -> None:
    training = trainer(tmp_path, validate=None)
    training.run(say=silent)
    expected = {name: value.clone() for name, value in training.average.items()}
    assert not (tmp_path / "best.safetensors").exists()
    for name, value in training.averaged().state_dict().items():
        assert torch.equal(value, expected[name])


def test_patience_ends_a_training_for_good(tmp_path: Path) -> None:
    figures = iter([0.5, 0.4, 0.3, 0.9])
    schedule = replace(SCHEDULE, validate_every=2, patience=2)
    training = trainer(tmp_path, schedule, validate=lambda net: {"figure": next(figures)})
    assert training.run(say=silent)
    assert training.step == 6
    again = trainer(tmp_path, schedule)
    assert again.resume()
    assert again.finished


def test_nan_figures_wear_patience_out() -> None:
    assert Progress(validations=[float("nan")] * 3).fruitless() == 3
    assert Progress(validations=[0.1, float("nan"), 0.1]).best() == 0


def test_a_loss_that_is_not_finite_stops_and_says_where(tmp_path: Path) -> None:
    training = trainer(tmp_path, examples=Lines(80, faults=(34,)))
    with pytest.raises(Diverged, match="the loss is not finite at step 9, examples 32, 33, 34, 35"):
        training.run(say=silent)
    kept = weights(tmp_path)
    assert all(value.isfinite().all() for value in kept.values())
    again = trainer(tmp_path)
    assert again.resume()
    assert again.step == 8
    assert Diverged.exit_code == 7


def test_the_part_of_the_batch_is_named(tmp_path: Path) -> None:
    training = trainer(tmp_path, replace(SCHEDULE, accumulate=2), examples=Lines(80, faults=(2,)))
    with pytest.raises(Diverged, match="step 1, examples 2, 3; nothing is saved yet"):
        training.run(say=silent)


def test_a_gradient_that_is_not_finite_stops(tmp_path: Path) -> None:
    def steep(net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (net(batch[0]) * 0).abs().sqrt().sum()

    with pytest.raises(Diverged, match="the gradient is not finite at step 1, examples 0, 1, 2, 3"):
        trainer(tmp_path, loss=steep).run(say=silent)


def test_a_full_disk_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = trainer(tmp_path, validate=None)
    original = os.fsync

    def full(handle: int) -> None:
        if training.step > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        original(handle)

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(ResourceError, match="disk full while writing .*state.safetensors"):
        training.run(say=silent)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "curve.html", "curve.tsv", "state.safetensors",
    ]  # fmt: skip
    again = trainer(tmp_path)
    assert again.resume()
    assert again.step == 5


def test_parts_of_a_batch_add_up(tmp_path: Path) -> None:
    averages = []
    for n_parts in (1, 4):
        training = trainer(
            tmp_path / str(n_parts), replace(SCHEDULE, accumulate=n_parts, n_steps=5)
        )
        training.task.net.load_state_dict(toy_net().state_dict())
        plain = Task(toy_net(chance=False), training.task.examples, loss)
        made = Trainer(plain, training.schedule, training.folder, training.fabric, seed=7)
        made.run(say=silent)
        averages.append(made.average)
    for name, value in averages[0].items():
        torch.testing.assert_close(averages[1][name], value, rtol=1e-5, atol=1e-6)


def test_chance_comes_from_the_stream_alone() -> None:
    net = toy_net()
    parts, x, cpu = drawing_parts(net), torch.ones(4, 4), torch.device("cpu")
    assert set(parts) == {"3"}
    before = torch.get_rng_state()
    said = []
    for seed in (1, 2, 1):
        with drawn_from(generator(seed), parts, cpu):
            said.append(net(x))
        torch.rand(3, generator=generator(0))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(said[0], said[2])
    assert not torch.equal(said[0], said[1])


TWO = """
import sys
from dataclasses import replace
from pathlib import Path
from isocenter.training.engine.fabric import make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.recipe import Task
from tests.unit.training.test_loop import SCHEDULE
from tests.unit.training.toys import Lines, loss, toy_net, validate

def main(out, n_devices):
    fabric = make_fabric("cpu", n_devices=n_devices)
    folder = out / str(fabric.global_rank)
    folder.mkdir()
    task = Task(toy_net(chance=False), Lines(80), loss, validate)
    Trainer(task, SCHEDULE, folder, fabric, seed=7).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
"""


@pytest.mark.parametrize(
    "launched", [pytest.param("by itself", marks=pytest.mark.slow), "by torchrun"]
)
def test_two_processes_train_as_one(tmp_path: Path, launched: str) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    front = ["-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words = [*(front if launched == "by torchrun" else []), str(script)]
    two, one = tmp_path / "two", tmp_path / "one"
    for folder in (two, one):
        folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])}
    run = subprocess.run(
        [sys.executable, *words, str(two), "2"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("step 20/20") == 1
    task = Task(toy_net(chance=False), Lines(80), loss, validate)
    Trainer(task, SCHEDULE, one, make_fabric("cpu"), seed=7).run(say=silent)
    assert not list((two / "1").iterdir())
    together, alone = weights(two / "0"), weights(one)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


def test_a_batch_that_cannot_be_dealt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a batch of 4 .* in 3 parts: change schedule.batch"):
        trainer(tmp_path, replace(SCHEDULE, accumulate=3))


def test_a_state_of_another_version_is_refused(whole: Path, tmp_path: Path) -> None:
    tensors = weights(whole) | {"adam.0.exp_avg": torch.zeros(1)}
    state = safetensors.torch.load((whole / "state.safetensors").read_bytes())
    safetensors.torch.save_file(
        {**tensors, "progress": state["progress"]}, tmp_path / "state.safetensors"
    )
    with pytest.raises(BadCheckpoint, match=r"'adam\.0\.exp_avg', as another version"):
        trainer(tmp_path).resume()


def test_a_damaged_state_is_named(whole: Path, tmp_path: Path) -> None:
    trainer(tmp_path)
    (tmp_path / "state.safetensors").write_bytes(b"half a file")
    with pytest.raises(BadCheckpoint, match="state.safetensors is damaged"):
        trainer(tmp_path).resume()
    (tmp_path / "state.safetensors").write_bytes((whole / "state.safetensors").read_bytes())
    with pytest.raises(BadCheckpoint, match="does not fit this training"):
        trainer(tmp_path, net=nn.Linear(4, 1)).resume()


@pytest.mark.parametrize("wrong", [{"n_steps": 0}, {"batch": 0}, {"patience": 0}])
def test_a_schedule_without_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="give 1 or more"):
        replace(SCHEDULE, **wrong)


def test_the_rate_rises_and_falls() -> None:
    schedule = Schedule(n_steps=100, batch=1, warm_up=10, learning_rate=2.0)
    rates = [schedule.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert rates[9] == rates[10] == 2.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, rel=0.05)


def test_the_rate_falls_as_one_over_the_steps_where_that_is_asked_for() -> None:
    schedule = Schedule(n_steps=9, batch=1, warm_up=2, learning_rate=2.0, inverse=0.5)
    assert [schedule.rate(step) for step in (0, 1, 2, 6)] == [1.0, 2.0, 1.0, 0.5]


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fabrics, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'isocenter\[train\]'"):
        make_fabric("cpu")


def test_short_numbers_are_for_the_network_alone(tmp_path: Path) -> None:
    seen = []

    def spied(net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        said = net(batch[0])
        seen.append((said.dtype, torch.is_autocast_enabled("cpu")))
        return loss(net, batch)

    task = Task(toy_net(), Lines(80), spied)
    fabric = make_fabric("cpu", precision="bf16")
    Trainer(task, replace(SCHEDULE, n_steps=1), tmp_path, fabric, seed=7).run(say=silent)
    assert seen == [(torch.float32, False)]
    exact = toy_net().train()
    # bfloat16 keeps eight bits: the weights that are learned stay float32.
    assert {p.dtype for p in task.net.parameters()} == {p.dtype for p in exact.parameters()}
