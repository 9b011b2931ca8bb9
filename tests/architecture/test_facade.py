"""The names of ``import isocenter as iso``: sorted, lazy, documented, typed."""

import ast
import inspect

import pytest

import isocenter as iso
from tests.architecture._source import PACKAGE, ROOT, tree

REFERENCE = ROOT / "docs" / "reference" / "python.md"


def test_names_are_sorted_and_listed() -> None:
    assert list(iso.__all__) == sorted(iso.__all__)
    assert set(iso.__all__) <= set(dir(iso))


@pytest.mark.parametrize("name", iso.__all__)
def test_a_name_can_be_used_and_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(iso, name))


@pytest.mark.parametrize("name", iso.__all__)
def test_a_name_is_in_the_reference(name: str) -> None:
    assert f"| `{name}" in REFERENCE.read_text(encoding="utf-8")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'asses'"):
        iso.asses  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    (guarded,) = [node for node in tree(PACKAGE / "__init__.py").body if isinstance(node, ast.If)]
    imported = {
        (alias.name, node.module)
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert imported == set(iso._HOME.items())
