"""The training loop: steps, not epochs; exactly resumable; the averaged weights are the result."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from isocenter.data.atomic import write_bytes, write_text
from isocenter.ops.slabs import compressed, spectra
from isocenter.training.examples import Example, ExampleSet
from isocenter.training.losses import Targets, loss_of

__all__ = ["Schedule", "Trainer", "collate"]


@dataclass(frozen=True)
class Schedule:
    """How long, how fast."""

    n_steps: int
    batch: int
    """Examples of a step."""
    sets: int = 2
    """Each example's slabs are dealt into this many sets, each judged as a scan of its own."""
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    warm_up: int = 200
    """Steps over which the learning rate rises from 0; then it falls along a cosine."""
    average: float = 0.998
    """Decay of the exponential average of weights."""
    clip: float = 1.0
    """Largest norm of the gradient."""

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        if step < self.warm_up:
            return self.learning_rate * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.n_steps - self.warm_up)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


class Trainer:
    """Trains a network on an :class:`ExampleSet`; everything it needs to go on is in ``folder``."""

    def __init__(
        self, net: nn.Module, examples: ExampleSet, schedule: Schedule, folder: Path, device: str
    ) -> None:
        self.net = net.to(device)
        self.average = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(_groups(net, schedule.weight_decay))
        self.examples, self.schedule, self.folder, self.device = examples, schedule, folder, device
        self.step = 0
        self.curve: list[str] = ["step\tloss\trate\tseconds"]

    def run(
        self, *, n_workers: int, save_every: int = 50, say: Callable[[str], None] = print
    ) -> None:
        """Train to the end, saving now and then; call it again after a stop."""
        began, first, recent = time.monotonic(), self.step, []
        self.net.train()
        for example in self._batches(n_workers):
            recent.append(self._step(example))
            if self.step % save_every == 0 or self.step == self.schedule.n_steps:
                seconds = (time.monotonic() - began) / (self.step - first)
                loss = sum(recent) / len(recent)
                left = (self.schedule.n_steps - self.step) * seconds / 60
                say(
                    f"step {self.step}/{self.schedule.n_steps}  loss {loss:.3f}  "
                    f"{self.schedule.batch / seconds:.1f} scans/s  {left:.0f} min left"
                )
                rate = self.schedule.rate(self.step)
                self.curve.append(f"{self.step}\t{loss:.5f}\t{rate:.3e}\t{seconds:.3f}")
                recent.clear()
                self.save()

    def averaged(self) -> nn.Module:
        """The network with its averaged weights, in evaluation mode."""
        self.net.load_state_dict(self.average)
        return self.net.eval()

    def save(self) -> None:
        """Write the whole state; the file of the last save is replaced only when complete."""
        tensors = {f"net.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{key}": value for key, value in state.items()}
        tensors["step"] = torch.tensor(self.step)
        plain = {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}
        write_bytes(self.folder / "state.safetensors", safetensors.torch.save(plain))
        write_text(self.folder / "curve.tsv", "\n".join(self.curve) + "\n")

    def resume(self) -> bool:
        """Go back to the last save; False when there is none."""
        file = self.folder / "state.safetensors"
        if not file.exists():
            return False
        tensors = safetensors.torch.load(file.read_bytes())
        self.net.load_state_dict(_below(tensors, "net."))
        self.average = {k: v.to(self.device) for k, v in _below(tensors, "average.").items()}
        adam: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "adam.").items():
            index, key = name.split(".", 1)
            adam.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": adam, "param_groups": groups})
        self.step = int(tensors["step"])
        self.curve = (self.folder / "curve.tsv").read_text().splitlines()
        return True

    def _batches(self, n_workers: int) -> Iterator[Example]:
        size = self.schedule.batch
        order = range(self.step * size, self.schedule.n_steps * size)
        loader = DataLoader(
            self.examples,
            batch_size=size,
            sampler=list(order),
            collate_fn=collate,
            num_workers=n_workers,
            multiprocessing_context="spawn" if n_workers else None,
            worker_init_fn=_one_thread,
            prefetch_factor=4 if n_workers else None,
        )
        return iter(loader)

    def _step(self, batch: Example) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        slabs, facts, targets = _deal(batch, self.schedule.sets, self.device)
        # bfloat16 for products and convolutions; the scan and the loss stay in float32.
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            waves = spectra(slabs, self.examples.preprocess)
            output = self.net(compressed(slabs), waves, facts)
        loss = loss_of(output.scan.float(), output.slabs.float(), targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.schedule.clip)
        self.optimizer.step()
        self.step += 1
        self._move_average()
        return float(loss.detach())

    def _move_average(self) -> None:
        # A short memory at first: the average must not carry the random start along.
        decay = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - decay)
                else:
                    self.average[name].copy_(value)


def collate(examples: list[Example]) -> Example:
    """Stack examples along a new first axis."""
    names = Example.__dataclass_fields__
    return Example(**{name: torch.stack([getattr(e, name) for e in examples]) for name in names})


def _deal(batch: Example, sets: int, device: str) -> tuple[Tensor, Tensor, Targets]:
    """Deal the slabs of each example into sets: (B, S, ...) -> (B sets, S / sets, ...)."""

    def dealt(x: Tensor) -> Tensor:
        split: Tensor = x.to(device).unflatten(1, (sets, -1))
        return split.flatten(0, 1)

    def repeated(x: Tensor) -> Tensor:
        return x.to(device).repeat_interleave(sets, 0)

    targets = Targets(
        repeated(batch.levels),
        repeated(batch.present),
        repeated(batch.published),
        dealt(batch.quality),
    )
    return dealt(batch.slabs).float(), dealt(batch.facts), targets


def _groups(net: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices decay, vectors and the scan's rates do not."""
    named = list(net.named_parameters())
    free = ("A_logs", "Ds", "dt_projs_bias")
    decayed = [p for n, p in named if p.ndim > 1 and not n.endswith(free)]
    others = [p for n, p in named if not (p.ndim > 1 and not n.endswith(free))]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
