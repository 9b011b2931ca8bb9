"""The error tree: what its docstring draws is what exists, and messages name the cure."""

import inspect
import re

import pytest

from isocenter import errors
from isocenter.errors import IsocenterError, UnknownName


def classes() -> dict[str, type[IsocenterError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return {name: found for name, found in members if issubclass(found, IsocenterError)}


def drawn() -> dict[str, int | None]:
    rows = re.findall(r"^[│├└─ ]*([A-Z]\w+)(?: +(\d+))?  ", errors.__doc__ or "", re.MULTILINE)
    return {name: int(code) if code else None for name, code in rows}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    assert set(drawn()) | {"IsocenterError"} == set(classes()) == set(errors.__all__)


@pytest.mark.parametrize("name", sorted(drawn()))
def test_a_drawn_exit_code_is_the_exit_code(name: str) -> None:
    code = drawn()[name]
    assert code is None or classes()[name].exit_code == code


@pytest.mark.parametrize("error", classes().values(), ids=lambda error: error.__name__)
def test_an_error_leaves_with_the_code_of_its_branch(error: type[IsocenterError]) -> None:
    branch = error.__mro__[-5] if error is not IsocenterError else error
    assert error.exit_code == branch.exit_code
    assert inspect.getdoc(error)


def test_codes_of_the_branches_differ() -> None:
    codes = [error.exit_code for error in IsocenterError.__subclasses__()]
    assert len(set(codes)) == len(codes)
    assert not {0, 1, 130} & set(codes)


def test_an_unknown_name_names_the_nearest() -> None:
    message = str(UnknownName("artifact", "moton", ["noise", "motion"]))
    assert message == "no artifact 'moton'; did you mean 'motion'?"


def test_an_unknown_name_unlike_any_lists_all_in_order() -> None:
    message = str(UnknownName("artifact", "zzz", ["noise", "motion"]))
    assert message == "no artifact 'zzz'; known: motion, noise"
