"""A run: a folder in which a recipe is trained and goes on where it stopped."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from isocenter import registry
from isocenter.data.atomic import write_text
from isocenter.data.settings import differences, from_values, to_values, with_settings
from isocenter.errors import InputError, NothingFound, UsageError
from isocenter.training.engine.commit import commit_of
from isocenter.training.engine.fabric import Device, make_fabric
from isocenter.training.engine.loop import Trainer
from isocenter.training.engine.recipe import Recipe
from isocenter.training.engine.splits import Split, check_disjoint
from isocenter.version import __version__

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Run", "Say", "read_recipe", "train"]

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Run:
    """What stands in a run's folder."""

    folder: Path
    name: str
    """Of the recipe."""
    recipe: Recipe
    data: Path

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``recipe.json``.

        Raises:
            NothingFound: No run in this folder.
            InputError: ``recipe.json`` is damaged.
        """
        told = _read_json(folder / "recipe.json")
        if told is None:
            raise NothingFound(f"{folder} holds no run; give the folder of `isocenter train --out`")
        recipe = from_values(_class_of(told["recipe"]), told["values"])
        return cls(folder, told["recipe"], recipe, Path(told["data"]))

    def record(self) -> dict[str, Any]:
        """What ``recipe.json`` holds."""
        return {
            "recipe": self.name,
            "values": to_values(self.recipe),
            "data": str(self.data.resolve()),
            "version": __version__,
            "commit": commit_of(Path(__file__).parent),
        }

    def split(self) -> Split:
        """People by side, as written when the run began, else as the recipe deals them now.

        Raises:
            UsageError: Somebody stands on two sides, or the people of the data have changed.
            NothingFound: The data hold no scan.
        """
        everybody = self.recipe.people(self.data)
        told = _read_json(self.folder / "split.json")
        if told is None:
            split = {side: tuple(people) for side, people in self.recipe.split(self.data).items()}
            check_disjoint(split)
            _check_people(_members(split), everybody, self.data, "the recipe's split")
            return split
        split = {side: tuple(people) for side, people in told["sides"].items()}
        check_disjoint(split)
        before = {*_members(split), *told["unused"]}
        _check_people(before, everybody, self.data, "split.json")
        new = sorted({*everybody} - before)
        if new:
            raise UsageError(f"{_few(new)} came to {self.data} after the split: use a new --out")
        return split

    @property
    def scratch(self) -> Path:
        """Folder for what a recipe makes once and keeps."""
        folder = self.folder / "scratch"
        folder.mkdir(exist_ok=True)
        return folder

    @property
    def model(self) -> Path:
        """The trained network; written last."""
        return self.folder / "model.safetensors"


def read_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by name, with some of its settings changed.

    Raises:
        UnknownName: No such recipe or setting; the message names the nearest one.
        UsageError: A setting does not take its value.
    """
    return with_settings(_class_of(name)(), settings)


def train(
    name: str,
    data: Path,
    out: Path,
    *,
    settings: Sequence[str] = (),
    device: Device = "auto",
    n_devices: int = 1,
    n_workers: int = 0,
    say: Say = print,
) -> bool:
    """Train a recipe in a folder, or go on where it stopped.

    Args:
        name: Of the recipe.
        data: Folder with the scans.
        out: The run's folder; it exists.
        settings: ``key=value`` words.
        device: Where to train.
        n_devices: How many of them.
        n_workers: Processes that make examples, for each device.
        say: Told how far it is, one line at a time.

    Returns:
        True when the training is finished, False when it was stopped.

    Raises:
        UnknownName: No such recipe or setting.
        UsageError: The folder holds another run, or people overlap or have changed.
        NothingFound: The data hold no scan.
        Diverged: The loss is not finite.
    """
    run = Run(out, name, read_recipe(name, settings), data)
    _check_same(run)
    split = run.split()
    if run.model.exists():
        say(f"{run.model} is there: nothing is left to train")
        return True
    fabric = make_fabric(device, n_devices=n_devices, precision=run.recipe.schedule.precision)
    if not fabric.is_global_zero:
        return _trained(run, split, fabric, n_workers, lambda line: None) is not None
    _begin(run, split)
    trainer = _trained(run, split, fabric, n_workers, say)
    if trainer is not None:
        card = _card(run, split, trainer)
        run.recipe.checkpoint(trainer.averaged(), card).save(run.model)
        say(f"trained: {run.model}")
    return trainer is not None


def _trained(run: Run, split: Split, fabric: "Fabric", n_workers: int, say: Say) -> Trainer | None:
    """The finished training; ``None`` when it was stopped."""
    task = run.recipe.task(run.data, split, run.scratch)
    trainer = Trainer(task, run.recipe.schedule, run.folder, fabric, seed=run.recipe.seed)
    if trainer.resume():
        say(f"goes on behind step {trainer.step}")
    if trainer.run(n_workers=n_workers, say=say):
        return trainer
    say(f"stopped at step {trainer.step}; resume with the same command")
    return None


def _begin(run: Run, split: Split) -> None:
    """Write down what is trained on whom, once."""
    unused = sorted({*run.recipe.people(run.data)} - _members(split))
    if not (run.folder / "split.json").exists():
        told = {"sides": {side: list(people) for side, people in split.items()}, "unused": unused}
        write_text(run.folder / "split.json", json.dumps(told, indent=1) + "\n")
    if not (run.folder / "recipe.json").exists():
        write_text(run.folder / "recipe.json", json.dumps(run.record(), indent=1) + "\n")


def _check_same(run: Run) -> None:
    """Refuse a folder in which something else was begun."""
    before = _read_json(run.folder / "recipe.json")
    if before is None:
        return
    if before["recipe"] != run.name:
        raise UsageError(
            f"{run.folder} trains the recipe {before['recipe']!r}, not {run.name!r}: "
            "use a new --out"
        )
    plain = to_values(type(run.recipe)())
    differ = differences(to_values(run.recipe), before["values"], plain)
    if differ:
        raise UsageError(
            f"{run.folder} trains other settings: {'; '.join(differ)}: use a new --out"
        )


def _check_people(needed: set[str], everybody: Sequence[str], data: Path, where: str) -> None:
    missing = sorted(needed - {*everybody})
    if missing:
        raise UsageError(f"{_few(missing)} of {where} cannot be found in {data}: bring them back")


def _members(split: Split) -> set[str]:
    return {person for people in split.values() for person in people}


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _card(run: Run, split: Split, trainer: Trainer) -> dict[str, Any]:
    best = trainer.progress.best()
    return {
        **run.record(),
        "data": run.data.resolve().name,
        "name": run.name,
        "split": {side: list(people) for side, people in split.items()},
        "steps": trainer.step,
        "validation": None if best is None else trainer.progress.validations[best],
        "torch": torch.__version__,
        "task": "research use only",
    }


def _class_of(name: str) -> type[Recipe]:
    found: type[Recipe] = registry.recipes.get(name).RECIPE
    return found


def _read_json(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        told: Mapping[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}): use a new --out") from error
    return told
