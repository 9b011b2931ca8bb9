"""The training loop: steps, not epochs; exactly resumable; the averaged weights are the result."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from isocenter.data.atomic import write_text
from isocenter.data.random import child, generator
from isocenter.errors import Diverged, UsageError
from isocenter.training.engine import curve
from isocenter.training.engine._state import (
    Progress,
    load_weights,
    read_state,
    save_weights,
    write_state,
)
from isocenter.training.engine.chance import drawing_parts, drawn_from
from isocenter.training.engine.interrupt import ignore_signals, noted_signals
from isocenter.training.engine.optimizers import make_optimizers
from isocenter.training.engine.recipe import Task
from isocenter.training.engine.schedule import Schedule

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Trainer"]

STATE = "state.safetensors"
BEST = "best.safetensors"
CURVE = "curve.tsv", "curve.html"
Judge = Callable[[nn.Module], Mapping[str, float]]


class Trainer:
    """Trains the network of a task; everything it needs to go on is in ``folder``.

    Args:
        task: What is trained.
        schedule: How long and how fast.
        folder: For ``state.safetensors``, ``best.safetensors``, ``curve.tsv`` and ``curve.html``.
        fabric: From :func:`~isocenter.training.engine.fabric.make_fabric`.  Of several
            processes, the one of rank r takes every world-th example of a batch from the r-th on,
            so that their number does not change a batch.
        seed: Decides dropout and what else the network draws in training.

    Raises:
        UsageError: The batch cannot be dealt evenly.
    """

    def __init__(
        self, task: Task, schedule: Schedule, folder: Path, fabric: "Fabric", *, seed: int
    ) -> None:
        if schedule.batch % (fabric.world_size * schedule.accumulate):
            raise UsageError(
                f"a batch of {schedule.batch} cannot be dealt evenly to {fabric.world_size} "
                f"processes in {schedule.accumulate} parts: change schedule.batch"
            )
        self.task, self.schedule, self.folder, self.fabric = task, schedule, folder, fabric
        self.seed = seed
        self.net = task.net
        if fabric.world_size > 1 and fabric.device.type == "cuda":
            # Batch statistics of the whole batch, not of each process's share.
            self.net = nn.SyncBatchNorm.convert_sync_batchnorm(self.net)
        self.optimizers = make_optimizers(self.net, schedule)
        self._net, *self._movers = fabric.setup(self.net, *self.optimizers)
        self.average = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.progress = Progress()
        self._parts = drawing_parts(self.net)

    @property
    def step(self) -> int:
        """Steps done."""
        return self.progress.step

    @property
    def finished(self) -> bool:
        """True behind the last step, or when patience has run out."""
        patience = self.schedule.patience
        tired = patience is not None and self.progress.fruitless() >= patience
        return tired or self.step >= self.schedule.n_steps

    def run(self, *, n_workers: int = 0, say: Callable[[str], None] = print) -> bool:
        """Train to the end, saving now and then; call it again after a stop.

        Ctrl-C and SIGTERM let the step end and save the state.

        Args:
            n_workers: Processes that make examples; 0 makes them in this one.
            say: Told one line at every point of the curve.

        Returns:
            True when finished, False when stopped.

        Raises:
            Diverged: The loss or the gradient is no longer finite; nothing is saved then.
        """
        if self.finished:
            return True
        began, first = time.monotonic(), self.step
        self.net.train()
        with noted_signals() as stopped:
            for parts in self._batches(n_workers):
                self.progress.recent.append(self._step(parts))
                if self._is_point():
                    seconds = (time.monotonic() - began) / (self.step - first)
                    self._mark(seconds, say)
                if self.finished or self._any(stopped()):
                    break
            if self.progress.recent:  # no point of the curve, so nothing is saved yet
                self.save()
        return self.finished

    def averaged(self) -> nn.Module:
        """The network in evaluation mode with its averaged weights: those of the best validation,
        or the last ones when there was none."""
        best = self.folder / BEST
        weights = self.average if self.progress.best() is None else load_weights(best)
        self.net.load_state_dict(weights)
        return self.net.eval()

    def save(self) -> None:
        """Write the whole state; the file of the last save is replaced only when complete."""
        if self.fabric.is_global_zero:
            write_state(self.folder / STATE, self.net, self.average, self.optimizers, self.progress)
            write_text(self.folder / CURVE[0], curve.table(self.progress.curve))
            write_text(self.folder / CURVE[1], curve.page(self.progress.curve, self.folder.name))
        self.fabric.barrier()

    def resume(self) -> bool:
        """Go back to the last save; False when there is none.

        Raises:
            BadCheckpoint: The state is damaged or belongs to another network.
        """
        file = self.folder / STATE
        if not file.exists():
            return False
        average, self.progress = read_state(file, self.net, self.optimizers)
        self.average = {k: v.to(self.fabric.device) for k, v in average.items()}
        return True

    def _batches(self, n_workers: int) -> Iterator[list[Any]]:
        """For each step, this process's parts of the batch."""
        n_parts, world = self.schedule.accumulate, self.fabric.world_size
        loader = DataLoader(
            self.task.examples,
            batch_size=self.schedule.batch // (world * n_parts),
            sampler=self._rows(self.step, self.schedule.n_steps),
            collate_fn=self.task.collate,
            num_workers=n_workers,
            multiprocessing_context="spawn" if n_workers else None,
            worker_init_fn=_begin_worker,
            prefetch_factor=4 if n_workers else None,
            pin_memory=self.fabric.device.type == "cuda",
            # The loader draws a seed that nothing uses: not from the global generator.
            generator=generator(self.seed),
        )
        parts = iter(loader)
        for _ in range(self.step, self.schedule.n_steps):
            yield [next(parts) for _ in range(n_parts)]

    def _rows(self, first: int, last: int) -> range:
        """Indices of this process's examples from one step to another."""
        size = self.schedule.batch
        return range(first * size + self.fabric.global_rank, last * size, self.fabric.world_size)

    def _step(self, parts: list[Any]) -> float:
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * self.schedule.rate(self.step)
            optimizer.zero_grad(set_to_none=True)
        rng = child(generator(self.seed), "step", self.step, self.fabric.global_rank)
        with drawn_from(rng, self._parts, self.fabric.device):
            losses = [self._backward(part, i) for i, part in enumerate(parts)]
        # Of all weights together; nothing is scaled in bfloat16, so that Fabric need not know.
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.schedule.clip)
        if not math.isfinite(float(norm)):
            raise self._diverged("gradient", range(len(parts)))
        for mover in self._movers:
            mover.step()
        self.progress.step += 1
        self._move_average()
        return sum(losses) / len(losses)

    def _backward(self, batch: Any, part: int) -> float:
        """Add a part's gradient; returns its loss over all processes."""
        n_parts = self.schedule.accumulate
        with self.fabric.no_backward_sync(self._net, enabled=part < n_parts - 1):
            loss = self.task.loss(self._net, _moved(batch, self.fabric.device))
            whole = float(self._mean(loss.detach()))
            if not math.isfinite(whole):
                raise self._diverged("loss", [part])
            self.fabric.backward(loss / n_parts)
        return whole

    def _mean(self, value: Tensor) -> Tensor:
        """Over all processes."""
        if self.fabric.world_size == 1:
            return value
        return cast(Tensor, self.fabric.all_reduce(value, reduce_op="mean"))

    def _any(self, here: bool) -> bool:
        """True when it holds in any process: all must leave the loop at the same step."""
        if self.fabric.world_size == 1:
            return here
        return float(self._mean(torch.tensor(float(here), device=self.fabric.device))) > 0

    def _diverged(self, what: str, parts: "range | list[int]") -> Diverged:
        """The error that says where."""
        rows, n_parts = self._rows(self.step, self.step + 1), self.schedule.accumulate
        size = len(rows) // n_parts
        at = [str(row) for i in parts for row in rows[i * size : (i + 1) * size]]
        kept = f"{self.folder / STATE} holds the last good state" if self._has_state() else ""
        return Diverged(
            f"the {what} is not finite at step {self.step + 1}, examples {', '.join(at)}; "
            f"{kept or 'nothing is saved yet'}: look at these examples, "
            "or begin anew with a lower schedule.learning_rate"
        )

    def _has_state(self) -> bool:
        return (self.folder / STATE).exists()

    def _is_point(self) -> bool:
        due = self.step % self.schedule.save_every == 0 or self.step == self.schedule.n_steps
        return due or self._judge() is not None

    def _judge(self) -> Judge | None:
        """The validation that is due now."""
        due = self.step % self.schedule.validate_every == 0 or self.step == self.schedule.n_steps
        return self.task.validate if due else None

    def _mark(self, seconds: float, say: Callable[[str], None]) -> None:
        """Add a point to the curve, tell of it and save the state."""
        progress, schedule = self.progress, self.schedule
        loss = sum(progress.recent) / len(progress.recent)
        point = {"step": self.step, "loss": loss, "rate": schedule.rate(self.step - 1)}
        point["seconds"] = round(seconds, 4)
        judge = self._judge()
        figures = {} if judge is None else self._validate(judge)
        progress.recent.clear()
        progress.curve.append({**point, **figures})
        if self.fabric.is_global_zero:
            left = _duration((schedule.n_steps - self.step) * seconds)
            shown = "".join(f"  {name} {figure:.4f}" for name, figure in figures.items())
            say(
                f"step {self.step}/{schedule.n_steps}  loss {loss:.4f}{shown}  "
                f"{schedule.batch / seconds:.1f} examples/s  {left} left"
            )
        self.save()

    def _validate(self, judge: Judge) -> Mapping[str, float]:
        """Figures of the averaged weights, which are kept when the first figure is the best."""
        figures: Mapping[str, float] = {}
        if self.fabric.is_global_zero:
            figures = self._figures(judge)
        figures = self.fabric.broadcast(figures)
        self.progress.validations.append(float(next(iter(figures.values()))))
        is_best = self.progress.best() == len(self.progress.validations) - 1
        if is_best and self.fabric.is_global_zero:
            save_weights(self.folder / BEST, self.average)
        return figures

    def _figures(self, judge: Judge) -> dict[str, float]:
        present = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.net.load_state_dict(self.average)
        self.net.eval()
        try:
            with torch.no_grad():
                return {k: float(v) for k, v in judge(self.net).items()}
        finally:
            self.net.load_state_dict(present)
            self.net.train()

    def _move_average(self) -> None:
        # A short memory at first: the average must not carry the random start along.
        decay = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)


def _moved(batch: Any, device: torch.device) -> Any:
    """The batch with all its tensors on the device."""
    match batch:
        case Tensor():
            return batch.to(device, non_blocking=True)
        case dict():
            return {key: _moved(value, device) for key, value in batch.items()}
        case tuple() | list():
            moved = [_moved(value, device) for value in batch]
            return type(batch)(*moved) if hasattr(batch, "_fields") else type(batch)(moved)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = [field.name for field in dataclasses.fields(batch)]
        return dataclasses.replace(
            batch, **{name: _moved(getattr(batch, name), device) for name in fields}
        )
    return batch


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _begin_worker(worker: int) -> None:
    torch.set_num_threads(1)
    ignore_signals()
