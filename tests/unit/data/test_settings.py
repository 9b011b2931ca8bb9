"""Settings by name: read by the field's type, refused with a cure."""

from __future__ import annotations

import json

import pytest

from isocenter.data.settings import differences, from_values, to_values, with_settings
from isocenter.errors import UnknownName, UsageError
from isocenter.training.recipes.assessor import AssessorRecipe
from tests.unit.training.toys import ToyRecipe

TOY = ToyRecipe()


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("seed=3", lambda r: r.seed == 3),
        ("schedule.n_steps=100", lambda r: r.schedule.n_steps == 100),
        ("schedule.learning_rate=1e-4", lambda r: r.schedule.learning_rate == 1e-4),
        ("schedule.learning_rate=1", lambda r: type(r.schedule.learning_rate) is float),
        ("schedule.precision=32", lambda r: r.schedule.precision == "32"),
        ("schedule.patience=none", lambda r: r.schedule.patience is None),
        ("schedule.patience=4", lambda r: r.schedule.patience == 4),
        ("kind=classes", lambda r: r.kind == "classes"),
        ("sizes=1,2,3", lambda r: r.sizes == (1, 2, 3)),
        ("sizes=5", lambda r: r.sizes == (5,)),
        ("limit=0.5", lambda r: r.limit == 0.5),
    ],
)
def test_a_setting_is_read_by_its_type(setting: str, found: object) -> None:
    changed = with_settings(TOY, [setting])
    assert callable(found)
    assert found(changed)
    assert to_values(TOY) == to_values(ToyRecipe())


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("schedule.n_step=5", "did you mean 'schedule.n_steps'"),
        ("sede=5", "did you mean 'seed'"),
        ("seed.x=5", "seed has no settings of its own"),
        ("schedule=5", r"set one of them, as in schedule.n_steps=\.\.\."),
        ("seed", "give key=value"),
        ("seed=two", "seed is 'two': give a whole number"),
        ("seed=1.5", "seed is '1.5': give a whole number"),
        ("schedule.learning_rate=fast", "schedule.learning_rate is 'fast': give a number"),
        ("schedule.learning_rate=NaN", "give a number"),
        ("schedule.n_steps=none", "give a whole number"),
        ("kind=words", "kind is 'words': give one of classes, values"),
        ("sizes=1,b", "sizes is 'b': give a whole number"),
        ("schedule.n_steps=0", "schedule.n_steps is 0: give 1 or more"),
    ],
)
def test_a_wrong_setting_is_refused(setting: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        with_settings(TOY, [setting])


def test_unknown_settings_are_unknown_names() -> None:
    with pytest.raises(UnknownName):
        with_settings(TOY, ["sede=5"])


@pytest.mark.parametrize("recipe", [TOY, AssessorRecipe()], ids=["toy", "assessor"])
def test_values_survive_a_file(recipe: ToyRecipe | AssessorRecipe) -> None:
    values = json.loads(json.dumps(to_values(recipe)))
    assert from_values(type(recipe), values) == recipe


def test_differences_are_named() -> None:
    other = with_settings(TOY, ["seed=3", "schedule.n_steps=7"])
    assert differences(to_values(other), to_values(TOY), {}) == [
        "schedule.n_steps is 7 and was 20",
        "seed is 3 and was 7",
    ]
    assert differences(to_values(TOY), to_values(ToyRecipe()), {}) == []


def test_settings_that_came_later_stood_at_their_defaults() -> None:
    plain = to_values(ToyRecipe())
    older = to_values(TOY)
    del older["seed"], older["schedule"]["n_steps"]
    assert differences(to_values(TOY), older, plain) == []
    newer = to_values(with_settings(TOY, ["schedule.n_steps=7"]))
    assert differences(newer, older, plain) == ["schedule.n_steps is 7 and was 20"]
