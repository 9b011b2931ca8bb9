"""Commands that need no network: help, list, doctor, distort, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import isocenter as iso
from isocenter import registry
from isocenter.cli._texts import COMMANDS, EXIT_CODES
from isocenter.data.step import Step
from isocenter.datasets.mriqc import MEASURES
from tests.e2e.conftest import Command, run_python, save


def test_help_takes_no_time_and_no_torch(command: Command, tmp_path: Path) -> None:
    runs = [command("--help") for _ in range(3)]
    assert all(run.code == 0 for run in runs)
    assert min(run.cpu for run in runs) < 0.3
    modules = run_python("-X", "importtime", "-m", "isocenter.cli", "--help", cwd=tmp_path).err
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in modules.splitlines()}
    assert not loaded & {"torch", "numpy", "nibabel", "pydicom", "jinja2"}


def test_help_prints_commands_and_exit_codes(command: Command) -> None:
    told = command("--help").out
    for name in COMMANDS:
        assert f" {name} " in told
    for code, meaning in EXIT_CODES.items():
        assert f"{code:<5}{meaning}" in told


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(command: Command, name: str) -> None:
    run = command(name, "--help")
    assert run.code == 0
    assert "Example" in run.out
    assert f"  isocenter {name}" in run.out


def test_version(command: Command) -> None:
    assert command("--version").out == f"{iso.__version__}\n"


def test_a_bad_file_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "empty.nii.gz").write_bytes(b"")
    code = (
        "import sys\n"
        "from isocenter.cli._app import run\n"
        "code = run(['assess', 'empty.nii.gz'])\n"
        "print(code, 'torch' in sys.modules)\n"
    )
    run = run_python("-c", code, cwd=tmp_path)
    assert run.out == "3 False\n"
    assert run.err.startswith("empty.nii.gz: ")
    assert "file is empty" in run.err
    assert not list(tmp_path.glob("*_quality.*"))


def test_list_names_what_the_registry_holds(command: Command) -> None:
    listed = [line.split()[0] for line in command("list", "artifacts").out.splitlines()]
    assert listed == list(registry.artifacts.names())
    assert command("list", "presets").out.split()[0] == "hsfnet-2025"
    models = [line.split()[0] for line in command("list", "models").out.splitlines()]
    assert models == list(registry.models.names()) == ["ensemble", "hsfnet", "hysnet", "miqanet"]
    metrics = {line.split()[0]: line.split()[1:] for line in listed_of(command, "metrics")}
    assert metrics["psnr"][:2] == ["full-reference", "higher"]
    assert metrics["lpips"][:3] == ["full-reference", "lower", "weights"]
    assert metrics["piqe"][:2] == ["no-reference", "lower"]
    measures = {line.split()[0]: line.split()[1:] for line in listed_of(command, "measures")}
    assert set(measures) == set(MEASURES)
    assert measures["fwhm_x"][:3] == ["measure", "lower", "voxels"]


def listed_of(command: Command, kind: str) -> list[str]:
    return command("list", kind).out.splitlines()


def test_doctor_says_that_all_is_well(command: Command) -> None:
    run = command("doctor")
    assert run.code == 0, run.out
    assert "all well" in run.out
    assert "checksum right" in run.out


def test_distort_writes_a_scan_and_the_record_that_rebuilds_it(
    command: Command, head: Path, tmp_path: Path
) -> None:
    words = ("--artifact", "motion", "--level", 3, "--seed", 7)
    first = command("distort", head, "a.nii.gz", *words)
    assert first.code == 0, first.err
    assert command("distort", head, "b.nii.gz", *words).code == 0
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    record = json.loads((tmp_path / "a.json").read_text())
    assert [step["name"] for step in record["history"]] == ["motion"]
    steps = [Step(**step) for step in record["history"]]
    again = iso.replay(iso.read(head), steps)
    assert torch.equal(again.data, iso.read(tmp_path / "a.nii.gz").data)
    assert not torch.equal(again.data, iso.read(head).data)


def test_distort_never_overwrites_the_input_or_a_foreign_sidecar(
    command: Command, head: Path, tmp_path: Path
) -> None:
    before = head.read_bytes()
    (tmp_path / "link.nii.gz").symlink_to(head)
    words = ("--artifact", "noise", "--level", 1)
    for name in (head.name, "link.nii.gz"):
        run = command("distort", head, name, *words)
        assert (run.code, "never overwritten" in run.err) == (2, True)
    (tmp_path / "head_T1w.json").write_text('{"EchoTime": 0.003}')
    run = command("distort", head, "head_T1w.nii", *words)
    assert (run.code, "not written by distort" in run.err) == (2, True)
    assert head.read_bytes() == before
    assert json.loads((tmp_path / "head_T1w.json").read_text()) == {"EchoTime": 0.003}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["head_T1w.nii.gz", "out.dcm", "--artifact", "noise", "--level", 1], 2, "NIfTI"),
        (["head_T1w.nii.gz", "x/out.nii", "--artifact", "noise", "--level", 1], 6, "folder"),
        (["head_T1w.nii.gz", "o.nii", "--artifact", "nois", "--level", 1], 2, "'noise'"),
        (["head_T1w.nii.gz", "o.nii", "--artifact", "noise", "--level", 7], 2, "--level"),
        (
            ["head_T1w.nii.gz", "o.nii", "--artifact", "bias", "--level", 1, "--preset",
             "hsfnet-2025"], 2, "physical",
        ),
        (["absent.nii", "o.nii", "--artifact", "noise", "--level", 1], 4, "absent.nii"),
    ],
)  # fmt: skip
def test_distort_says_what_is_wrong(
    command: Command, head: Path, tmp_path: Path, words: list[object], code: int, sentence: str
) -> None:
    run = command("distort", *words)
    assert run.code == code, run.err
    assert sentence in run.err
    assert len(run.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {head.name}


def test_distort_takes_parameters_in_place_of_chance(
    command: Command, head: Path, tmp_path: Path
) -> None:
    table = tmp_path / "moves.tsv"
    table.write_text("time\tx\ty\tz\tturn_x\tturn_y\tturn_z\n0.4\t0\t2\t0\t1\t0\t0\n")
    words = ("--artifact", "motion", "--level", 3, "--param", "trajectory=moves.tsv")
    run = command("distort", head, "a.nii.gz", *words, "--param", "axis=1")
    assert run.code == 0, run.err
    step = json.loads((tmp_path / "a.json").read_text())["history"][0]
    assert (step["params"]["times"], step["params"]["axis"]) == ([0.4], 1)
    assert step["params"]["translation"] == [[0, 2, 0]]


@pytest.mark.parametrize(
    ("param", "code", "sentence"),
    [
        (["sigma"], 2, "KEY=VALUE"),
        (["sigma=1", "--param", "sigma=2"], 2, "given twice"),
        (["sigmaa=1"], 2, "'sigma'"),
        (["sigma=none.tsv"], 4, "none.tsv"),
    ],
)
def test_distort_refuses_wrong_parameters(
    command: Command, head: Path, tmp_path: Path, param: list[str], code: int, sentence: str
) -> None:
    words = ("--artifact", "noise", "--level", 1, "--param", *param)
    run = command("distort", head, "o.nii", *words)
    assert run.code == code, run.err
    assert sentence in run.err
    assert len(run.err.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {head.name}


def test_distort_takes_one_volume(command: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    save(rng.integers(0, 900, (20, 20, 20, 3)).astype(np.int16), tmp_path / "four.nii")
    words = ("--artifact", "blur", "--level", 2)
    assert command("distort", "four.nii", "o.nii", *words).code == 3
    assert command("distort", "four.nii", "o.nii", *words, "--volume", 1).code == 0
    assert iso.read(tmp_path / "o.nii").shape == (20, 20, 20)
