"""``isocenter simulate``: files, lines, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from isocenter.artifacts import PRESETS
from isocenter.cli._app import run
from isocenter.study import simulate as module
from tests.unit.study.scans import tree, write_scans

CHOICE = ["--preset", "physical", "--artifacts", "noise, blur", "--levels", "2,4"]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    source = write_scans(tmp_path / "clean", n_people=2)
    return ["simulate", str(source), str(tmp_path / "bench"), *CHOICE]


def test_it_writes_a_benchmark_and_says_what_is_in_it(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(tmp_path / "clean")
    assert run(words) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "15 images of 3 scans of 2 people" in told.out
    assert "labels.tsv + labels.json" in told.out
    assert "split by person: train" in told.out
    assert tree(tmp_path / "clean") == before
    names = {Path(name).name for name in tree(tmp_path / "bench") if name.endswith(".nii.gz")}
    versions = ("noise_2", "noise_4", "blur_2", "blur_4", "pristine")
    assert names == {f"{version}.nii.gz" for version in versions}


def test_going_on_needs_to_be_asked_for(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--n", "7", "--quiet"]) == 0
    first = tree(tmp_path / "bench")
    assert run([*words, "--n", "7"]) == 2
    assert "add --resume" in capsys.readouterr().err
    assert run([*words, "--n", "7", "--resume", "--verify"]) == 0
    assert "7 images of 3 scans of 2 people, 0 of them new" in capsys.readouterr().out
    assert tree(tmp_path / "bench") == first


def test_shards_say_which_they_are(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--shard", "2/2"]) == 0
    assert "shard 2 of 2" in capsys.readouterr().out
    assert not (tmp_path / "bench/labels.tsv").exists()
    assert run([*words, "--shard", "1/2"]) == 0
    assert "labels.tsv + labels.json" in capsys.readouterr().out
    assert len((tmp_path / "bench/labels.tsv").read_text().splitlines()) == 16


def test_a_dry_run_writes_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words, "--dry-run", "--workers", "2"]) == 0
    told = capsys.readouterr().out
    assert "15 images of 3 scans of 2 people to make" in told
    assert "kB" in told
    assert "with 2 workers, if all scans are like sub-00_ses-1_T1w.nii.gz" in told
    assert not (tmp_path / "bench").exists()


def test_damaged_scans_are_named_once_and_the_rest_is_done(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, half = sorted((tmp_path / "clean").rglob("sub-00*"))[-2:]
    half.write_bytes(half.read_bytes()[:999])
    whole.write_bytes(b"")
    assert run(words) == 3
    told = capsys.readouterr()
    assert len(told.err.splitlines()) == 2
    assert whole.name in told.err
    assert half.name in told.err
    assert "5 images of 2 scans of 2 people; 5 could not be made" in told.out


def test_the_key_that_interrupts_keeps_what_is_there(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = module.make

    def interrupted(batch: object) -> object:
        if list((tmp_path / "bench").rglob("*.nii.gz")):
            raise KeyboardInterrupt
        return made(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "make", interrupted)
    assert run(words) == 130
    assert "finished results are kept" in capsys.readouterr().err
    monkeypatch.undo()
    assert run([*words, "--resume"]) == 0
    assert "10 of them new" in capsys.readouterr().out


def test_a_place_that_cannot_be_written_to(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bench").write_text("a file")
    assert run(words) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot make" in line


@pytest.mark.parametrize(
    ("changed", "code", "sentence"),
    [
        ({"--preset": "physicl"}, 2, "did you mean 'physical'"),
        ({"--artifacts": "moton"}, 2, "did you mean 'motion'"),
        ({"--levels": "0-2"}, 2, "only pristine has level 0"),
        ({"--levels": "some"}, 2, "--levels is 'some': give them as 1-4 or 1,3"),
        ({"--levels": "4-1"}, 2, "no version is left"),
        ({"--workers": "0"}, 2, "--workers is 0: give 1 or more"),
        ({"--seed": "-1"}, 2, "seed is -1"),
        ({"--shard": "3"}, 2, "as 3/20"),
        ({"--shard": "3/2"}, 2, "give a part from 1"),
        ({"--n": "99"}, 2, "give a number from 1 to 15"),
        ({"--dataset": "oasiss"}, 2, "did you mean 'oasis'"),
        ({"--dataset": "oasis"}, 4, "OASIS"),
        ({"--storage": "int8"}, 2, "int8"),
        ({"--crop": "9,9"}, 2, "--crop is '9,9': say published, or give 256,256,130"),
        ({"--crop": "published"}, 2, "no crop was published for"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str],
    changed: dict[str, str],
    code: int,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option, value in changed.items():
        words = [value if before == option else word
                 for before, word in zip(["", *words], words, strict=False)]  # fmt: skip
        words = words if option in words else [*words, option, value]
    assert run(words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert "bug" not in line
    assert not (tmp_path / "bench").exists()


@pytest.mark.parametrize(
    ("places", "code", "sentence"),
    [
        (("clean", "clean/bench"), 2, "lies where the scans are"),
        (("clean", "bench.nii.gz"), 2, "for a single image use isocenter distort"),
        (("nowhere", "bench"), 4, "no such file or folder"),
        (("empty", "bench"), 4, "nothing of a folder of scans"),
    ],
)
def test_wrong_places_are_one_sentence(
    words: list[str],
    places: tuple[str, str],
    code: int,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["simulate", *(str(tmp_path / place) for place in places)]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_what_there_is_to_simulate(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "list"]) == 0
    told = capsys.readouterr().out
    for preset, names in PRESETS.items():
        block = told.split(f"preset {preset}:")[1].split("preset ")[0]
        assert [line.split()[0] for line in block.splitlines()[1:]] == list(names)
    assert "The head moves while k-space is acquired." in told


def test_a_folder_alone_is_not_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", str(tmp_path)]) == 2
    assert "folder for the results" in capsys.readouterr().err
