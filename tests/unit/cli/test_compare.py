"""``isocenter compare``: files, lines, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from isocenter.cli._app import run
from isocenter.reports import comparison
from tests.unit.study.rated import write_rated

RESULTS = {"comparison.html", "comparison.json", "comparison.tsv", "values.tsv"}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    ratings, images = write_rated(tmp_path / "set")
    out = ["--methods", "psnr,mse,gmsd,noise_estimate", "--out", str(tmp_path / "out")]
    return ["compare", str(ratings), str(images), *out]


def results(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_it_writes_everything_and_says_where(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0
    told = capsys.readouterr().out
    assert set(results(tmp_path)) == RESULTS
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert (tmp_path / "out/comparison.html").read_text() == comparison.page(document)
    assert (tmp_path / "out/comparison.tsv").read_text() == comparison.table(document)
    assert "4 measures on 15 images of 3 references" in told
    assert "comparison.html" in told
    assert "Only 3 references" in told
    best = document["methods"][0]
    assert f"SROCC  {best['srocc']:.3f}" in told
    assert {m["name"] for m in document["methods"]} == {"psnr", "mse", "gmsd", "noise_estimate"}


def test_the_same_again_gives_the_same_bytes(words: list[str], tmp_path: Path) -> None:
    assert run([*words, "--quiet"]) == 0
    before = results(tmp_path)
    assert run([*words, "--quiet"]) == 0
    assert results(tmp_path) == before
    assert run([*words, "--quiet", "--seed", "5"]) == 0
    assert results(tmp_path)["values.tsv"] == before["values.tsv"]


def test_a_bad_image_is_named_and_the_rest_is_done(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "set/images/ref1_noise_2.png").write_bytes(b"")
    assert run([*words, "--quiet"]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert "ref1_noise_2.png" in line
    document = json.loads((tmp_path / "out/comparison.json").read_text())
    assert document["n_images"] == 14
    assert [one["name"] for one in document["failed_images"]] == ["ref1_noise_2.png"]


@pytest.mark.parametrize(
    ("changed", "code", "sentence"),
    [
        ({"--methods": "pnsr"}, 2, "no method 'pnsr'; did you mean 'psnr'?"),
        ({"--workers": "0"}, 2, "--workers is 0: give 1 or more"),
        ({"--seed": "-1"}, 2, "--seed is -1"),
        ({"--data-range": "big"}, 2, "the data range is 'big'"),
        ({"--weights": "lpips"}, 2, "give NAME=FILE"),
        ({"--weights": "psnr=a.safetensors"}, 2, "needs none"),
        ({"--methods": "lpips", "--weights": "lpips=none.safetensors"}, 4, "no such file"),
        ({"--methods": "ms_ssim"}, 3, "no method is left to compare; ms_ssim"),
    ],
)
def test_wrong_usage_is_one_sentence(
    words: list[str],
    changed: dict[str, str],
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for option, value in changed.items():
        words = [*words, option, value] if option not in words else [
            value if before == option else word
            for before, word in zip(["", *words], words, strict=False)
        ]  # fmt: skip
    assert run(words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert "bug" not in line


@pytest.mark.parametrize(
    ("table", "code", "sentence"),
    [
        (None, 4, "no such table"),
        ("", 3, "no column"),
        ("image,reference,mos\n", 3, "a header and no rows"),
        ("image,reference,mos\nother.png,ref0.png,3\n", 4, "1 of 2 images are not in"),
        ("image,reference,mos\nref0_noise_1.png,ref0.png,good\n", 3, "mos is 'good'"),
        ("image,reference,mos\nref0_noise_1.png,ref0.png,3\n", 3, "1 rated images are left"),
    ],
)
def test_a_bad_table_is_one_sentence(
    words: list[str],
    table: str | None,
    code: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ratings = Path(words[1])
    ratings.unlink() if table is None else ratings.write_text(table)
    assert run(words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not (ratings.parent / "out/comparison.json").exists()


def test_a_folder_that_is_not_there(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words[2] += "_elsewhere"
    assert run(words) == 4
    assert "no such folder" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    assert run(words) == 6
    assert "cannot make the folder" in capsys.readouterr().err
