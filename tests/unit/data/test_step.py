"""``Step``: plain values that survive JSON exactly."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from isocenter.data.step import Step

plain = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=8,
)


@given(params=some.dictionaries(some.text(), plain), seed=some.none() | some.integers(0, 2**63 - 1))
def test_a_step_survives_json(params: dict[str, object], seed: int | None) -> None:
    step = Step("motion", params, seed)
    assert Step(**json.loads(json.dumps(dataclasses.asdict(step)))) == step


def test_a_step_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Step("motion", {}).name = "noise"  # type: ignore[misc]
