"""Rules that hold in every source file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture._source import PACKAGE, dotted, short, sources, tree

FORBIDDEN_IMPORTS = {
    "dill",
    "http",
    "marshal",
    "pickle",
    "random",
    "requests",
    "shelve",
    "socket",
    "urllib",
}
NETWORKED = PACKAGE / "data" / "download.py"
"""The one file that may use the network."""
FORBIDDEN_CALLS = {
    "eval": "runs text as code",
    "exec": "runs text as code",
    "torch.load": "reads pickles",
    "torch.save": "writes pickles",
    "torch.manual_seed": "seeds the global generator",
    "torch.seed": "seeds the global generator",
    "torch.cuda.manual_seed": "seeds the global generator",
    "yaml.load": "builds any object",
}
DRAWS = {"bernoulli", "multinomial", "normal", "rand", "randint", "randn", "randperm"}
DRAWS_IN_PLACE = {"bernoulli_", "exponential_", "normal_", "random_", "uniform_"}
NUMPY_STREAMS = {"BitGenerator", "Generator", "PCG64", "Philox", "SFC64", "SeedSequence"}
WRITERS = {"write_bytes", "write_text", "tofile", "savez", "savetxt", "to_filename"}
WRITING_MODE = re.compile(r"(?=.*[wax+])[rwaxbt+]{1,3}")
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONG_FUNCTION = 30

every_source = pytest.mark.parametrize("path", sources(), ids=short)


def calls(path: Path) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef))


def n_lines(function: ast.FunctionDef) -> int:
    """Lines of the body without its docstring."""
    first = function.body[1 if ast.get_docstring(function) and function.body[1:] else 0]
    assert function.end_lineno is not None
    return function.end_lineno - first.lineno + 1


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(tree(path)))
    direct = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    return direct | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom) if not n.level}


@every_source
def test_nothing_dangerous_or_networked_is_imported(path: Path) -> None:
    allowed = {"http", "urllib"} if path == NETWORKED else set()
    found = {name.split(".")[0] for name in imported(path)} & FORBIDDEN_IMPORTS
    assert found <= allowed


@every_source
def test_no_forbidden_call(path: Path) -> None:
    found = [
        f"line {call.lineno}: {name} {FORBIDDEN_CALLS[name]}"
        for call, name in calls(path)
        if name in FORBIDDEN_CALLS
    ]
    assert found == []


@every_source
def test_chance_comes_from_a_generator_that_was_given(path: Path) -> None:
    found = [call.lineno for call, name in calls(path) if draws_globally(call, name)]
    assert found == [], "draw with generator=rng"


def draws_globally(call: ast.Call, name: str) -> bool:
    place, _, what = name.rpartition(".")
    if place in ("np.random", "numpy.random"):
        seeded = what in ("default_rng", "RandomState") and bool(call.args or call.keywords)
        return not seeded and what not in NUMPY_STREAMS
    given = any(keyword.arg == "generator" for keyword in call.keywords)
    return not given and ((place == "torch" and what in DRAWS) or what in DRAWS_IN_PLACE)


@every_source
def test_no_assert(path: Path) -> None:
    found = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]
    assert found == [], "raise an IsocenterError that names the cure"


@every_source
def test_files_are_written_through_atomic_alone(path: Path) -> None:
    if path == PACKAGE / "data" / "atomic.py":
        return
    found = [call.lineno for call, name in calls(path) if writes(call, name)]
    assert found == [], "use isocenter.data.atomic"


def writes(call: ast.Call, name: str) -> bool:
    place, _, what = name.rpartition(".")
    if what in WRITERS:
        return place != "atomic" and not isinstance(call.func, ast.Name)
    given = [*call.args[:2], *(word.value for word in call.keywords if word.arg == "mode")]
    modes = [str(mode.value) for mode in given if isinstance(mode, ast.Constant)]
    return what in ("open", "fdopen") and any(WRITING_MODE.fullmatch(mode) for mode in modes)


@every_source
def test_no_exception_is_swallowed_whole(path: Path) -> None:
    found = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        if node.type is None or dotted(node.type) == "BaseException"
        if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
    ]
    assert found == []


@every_source
def test_a_module_and_what_it_offers_say_what_they_are(path: Path) -> None:
    module = tree(path)
    offered = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        if not node.name.startswith("_")
        if node.name not in ("__getattr__", "__dir__")
    ]
    silent = [node.name for node in offered if not ast.get_docstring(node)]
    assert ast.get_docstring(module) or not module.body
    if not path.name.startswith("_"):
        assert silent == []


@every_source
def test_a_file_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@every_source
def test_a_function_fits_a_screen(path: Path) -> None:
    assert [
        f"{f.name}: {n_lines(f)}" for f in functions(path) if n_lines(f) > LONGEST_FUNCTION
    ] == []


def test_nine_functions_in_ten_are_short() -> None:
    lengths = sorted(n_lines(function) for path in sources() for function in functions(path))
    assert lengths[len(lengths) // 2] <= 8
    assert lengths[len(lengths) * 9 // 10] < LONG_FUNCTION


@every_source
def test_tensor_shapes_are_not_hidden_from_the_check(path: Path) -> None:
    future = "annotations" in {
        alias.name
        for node in tree(path).body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    }
    uses_shapes = bool({"isocenter.data.shapes", "jaxtyping"} & imported(path))
    assert not (future and uses_shapes) or path.name == "shapes.py"


def parsed(line: str) -> tuple[ast.Call, str]:
    call = ast.parse(line, mode="eval").body
    assert isinstance(call, ast.Call)
    return call, dotted(call.func)


@pytest.mark.parametrize(
    ("line", "is_global"),
    [
        ("torch.rand(3)", True),
        ("torch.randn(3, generator=rng)", False),
        ("np.random.rand(3)", True),
        ("np.random.default_rng()", True),
        ("np.random.default_rng(seed)", False),
        ("np.random.Philox(seed)", False),
        ("nn.init.uniform_(weight, 0, 1)", True),
        ("weight.normal_(0, 1, generator=rng)", False),
        ("rng.normal(0, 1)", False),
    ],
)
def test_the_rule_of_chance_tells_right_from_wrong(line: str, is_global: bool) -> None:
    assert draws_globally(*parsed(line)) == is_global


@pytest.mark.parametrize(
    ("line", "is_writing"),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='xb')", True),
        ("path.open('r+')", True),
        ("gzip.open(path, 'wb')", True),
        ("path.write_text(text)", True),
        ("Path(name).write_bytes(content)", True),
        ("open(path)", False),
        ("open(path, 'rb')", False),
        ("atomic.write_text(path, text)", False),
        ("write_text(path, text)", False),
    ],
)
def test_the_rule_of_writing_tells_right_from_wrong(line: str, is_writing: bool) -> None:
    assert writes(*parsed(line)) == is_writing
