"""The documentation is true: its code runs, its commands exist, its lists are complete."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter import registry
from isocenter.artifacts import PRESETS
from isocenter.cli._texts import COMMANDS
from isocenter.data.scores import LEVELS
from isocenter.datasets import catalogue, sample
from tests.architecture._source import GUIDE, PACKAGE, PAGES, README, ROOT, Block, blocks, short
from tests.tool_modules import tool_module

DATA_FLOW = """\
import isocenter as iso

rng    = iso.generator(seed=7)
scan   = iso.read("sub-01_T1w.nii.gz")                    # file          -> Volume
worse  = iso.artifact("motion", level=3)(scan, rng=rng)   # Volume        -> Volume
again  = iso.replay(scan, worse.history)                  # Volume        -> Volume, bit for bit
before = iso.assess(scan)                                 # Volume        -> QualityReport
after  = iso.assess(worse, reference=scan)                # Volume        -> QualityReport
kspace = iso.acquire(scan, slices=(70, 71), rng=rng)      # Volume        -> KSpace, a fourth of it
better = iso.restore(kspace, "hfs_sde", rng=rng)          # KSpace        -> Volume
thick  = iso.read("sub-02_T2w.nii.gz")                    # file          -> Volume, thick slices
thin   = iso.restore(thick, "siqt", rng=rng)              # Volume        -> Volume, thin slices
iso.report([before, after], to="sub-01.html")             # QualityReport -> file
iso.write(worse, "sub-01_worse.nii.gz")                   # Volume        -> file
"""
SHELL = [block for page in PAGES for block in blocks(page, "console")]
LINES = [(block, line[2:]) for block in SHELL for line in block.text.splitlines()]


def words(line: str) -> list[str]:
    """The words of a command, up to what the shell makes of its end."""
    return shlex.split(re.split(r" [|&;>]|\|\|", line)[0], comments=True)


def commands_of(program: str) -> Iterator[list[str]]:
    return (words(line) for _, line in LINES if words(line)[:1] == [program])


def save_thick_slices(path: Path) -> None:
    """A small head, 2 x 2 x 8 mm."""
    from isocenter.artifacts._low_field_scan import coarse_affine
    from isocenter.data.io import write
    from isocenter.data.phantom import head_phantom
    from isocenter.data.volume import Volume
    from isocenter.ops.thick_slices import Acquisition, thick_slices

    whole, acquisition = head_phantom((64, 72, 64), 2.0), Acquisition(4)
    data = thick_slices(whole.shape, 2, acquisition)(whole.data)
    write(Volume(data, coarse_affine(whole.affine, 2, acquisition), "T2w"), path)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The folder and the names that the README's code leaves behind, run in its order."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(sample.path(), folder / "sub-01_T1w.nii.gz")
    save_thick_slices(folder / "sub-02_T2w.nii.gz")
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks(README, "python"):
            exec(compile(block.text, str(block), "exec"), names)
    return folder, names


def test_the_data_flow_is_the_same_text_everywhere() -> None:
    assert blocks(README, "python")[0].text == DATA_FLOW
    assert blocks(GUIDE / "architecture.md", "python")[0].text == DATA_FLOW


@pytest.mark.slow
def test_the_data_flow_runs_and_does_what_it_says(ran: tuple[Path, dict[str, object]]) -> None:
    import torch

    folder, names = ran
    scan, worse, again = (names[key] for key in ("scan", "worse", "again"))
    assert torch.equal(again.data, worse.data)  # type: ignore[attr-defined]
    assert not torch.equal(scan.data, worse.data)  # type: ignore[attr-defined]
    assert names["after"].score < names["before"].score  # type: ignore[attr-defined]
    assert names["better"].shape[2] == 1  # type: ignore[attr-defined]
    assert torch.corrcoef(slices_of(names))[0, 1] > 0.97
    assert names["thin"].shape == (64, 72, 64)  # type: ignore[attr-defined]
    written = names["iso"].read(folder / "sub-01_worse.nii.gz")  # type: ignore[attr-defined]
    assert written.shape == worse.shape  # type: ignore[attr-defined]
    assert (folder / "sub-01.html").read_text().lstrip().lower().startswith("<!doctype html>")


def slices_of(names: dict[str, object]):  # type: ignore[no-untyped-def]
    """The slice that was reconstructed, and what it was made of."""
    import torch

    scan, better = names["scan"], names["better"]
    pair = [better.data[:, :, 0], scan.data[:, :, 70]]  # type: ignore[attr-defined]
    return torch.stack([one.flatten() for one in pair])


@pytest.mark.parametrize("block", [b for page in PAGES for b in blocks(page, "python")], ids=str)
def test_code_on_every_page_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_shell_blocks_hold_commands_alone(block: Block) -> None:
    assert all(line.startswith("$ ") for line in block.text.splitlines())


def test_shell_lines_call_what_the_project_has() -> None:
    called = {words(line)[0] for _, line in LINES}
    assert called <= {"isocenter", "make"}, "add a test for the new program"
    assert called == {"isocenter", "make"}


@pytest.mark.parametrize("line", sorted(map(shlex.join, commands_of("make"))))
def test_a_make_line_names_a_target(line: str) -> None:
    target = shlex.split(line)[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("line", sorted(set(map(shlex.join, commands_of("isocenter")))))
def test_an_isocenter_line_uses_options_that_exist(line: str) -> None:
    _, command, *rest = shlex.split(line)
    run = subprocess.run(
        [sys.executable, "-m", "isocenter.cli", command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    options = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert options <= set(re.findall(r"--[a-z][a-z-]*", run.stdout))


def test_the_readme_lists_every_command_and_no_other() -> None:
    listed = re.findall(r"^\| `isocenter ([\w-]+)", README.read_text(), re.MULTILINE)
    assert listed == sorted(COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_a_command_is_named_in_the_guide(command: str) -> None:
    assert f"isocenter {command}" in README.read_text()


def test_the_reference_page_is_what_the_code_says() -> None:
    maker = tool_module("make_reference")
    assert maker.PAGE.read_text(encoding="utf-8") == maker.page(), "run make docs"


@pytest.mark.parametrize(
    "entries",
    [
        registry.artifacts,
        registry.readers,
        registry.models,
        registry.metrics,
        registry.measures,
        registry.datasets,
    ],
    ids=lambda entries: entries.kind,
)
def test_every_entry_is_on_the_reference_page(entries: registry.Registry) -> None:
    text = (ROOT / "docs/reference/entries.md").read_text()
    part = text.split(f"## {entries.kind.capitalize()}s")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", part, re.MULTILINE) == list(entries.names())


def test_every_data_set_is_in_the_guide_with_its_page_and_people() -> None:
    text = (GUIDE / "data-sets.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+)$", text, re.MULTILINE))
    assert list(rows) == list(registry.datasets.names())
    for layout in catalogue.layouts():
        assert layout.home in rows[layout.name] or layout.name in ("collection", "plain")
        assert f"| {layout.people or ''}" in rows[layout.name]


def test_the_levels_of_the_guide_are_for_every_artifact_that_is_judged() -> None:
    text = (GUIDE / "first-scan.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == set(PRESETS["physical"])


def test_the_levels_have_the_same_words_everywhere() -> None:
    words = ", ".join(f"{number} {word}" for number, word in enumerate(LEVELS, start=1))
    assert f"({words})" in (GUIDE / "first-scan.md").read_text()


def rooms_of_the_page() -> set[str]:
    text = (GUIDE / "architecture.md").read_text()
    return set(re.findall(r"^  (\w+(?:/|\.py)) ", text, re.MULTILINE))


def test_the_architecture_page_names_every_room_and_no_other() -> None:
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.suffix != ".pyc")
    existing = {file.parts[0] + "/" * (len(file.parts) > 1) for file in files}
    existing = {name for name in existing if name.endswith((".py", "/"))} - {"__pycache__/"}
    assert rooms_of_the_page() == existing


def test_the_layers_of_the_page_are_those_that_are_checked() -> None:
    shown = (
        (GUIDE / "architecture.md").read_text().split("## Who may import whom")[1].split("```")[1]
    )
    checked = re.search(r"^layers = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert checked is not None
    rows = [re.sub(r"[()]", "", row) for row in re.findall(r'"(.+)"', checked[1])]
    assert shown.strip().splitlines() == rows


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_a_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", page.read_text())
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_the_version_is_the_same_everywhere() -> None:
    import isocenter

    version = isocenter.__version__
    assert f'\nversion = "{version}"' in (ROOT / "pyproject.toml").read_text()
    assert f"\nversion: {version}" in (ROOT / "CITATION.cff").read_text()
