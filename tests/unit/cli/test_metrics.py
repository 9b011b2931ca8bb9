"""``isocenter metrics``: what is printed, what is written, how it ends; measuring is made up."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import nibabel
import numpy as np
import pytest

from isocenter.assessors._rating import RATERS
from isocenter.cli import _app
from isocenter.data.scores import Score
from isocenter.data.volume import Volume
from isocenter.datasets import mriqc
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.datasets.populations import populations
from isocenter.reports.json import schema_of_metrics
from isocenter.reports.mriqc import write_document, write_table

Run = Callable[..., int]
Captured = pytest.CaptureFixture[str]
VALIDATOR = jsonschema.Draft202012Validator(schema_of_metrics())
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


def made_measures(volume: Volume, **options: object) -> tuple[Score, ...]:
    """0.5 for every measure but those of the air; a maximum of 12 stands for a bug."""
    if float(volume.data.max()) == 12:
        raise TypeError("half a voxel")
    return tuple(
        Score(name, None, None, "higher", 0.0, math.inf, None, "there is no air")
        if name.startswith(("snrd", "qi"))
        else Score(name, 0.5, None, "lower", 0.0, math.inf)
        for name in MEASURES
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in an empty folder."""
    from isocenter.assessors import _measured

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_measured, "measure", made_measures)
    return lambda *words: _app.run([str(word) for word in words])


def save(name: str, *, shape: tuple[int, ...] = (24, 22, 20), seed: int = 0, top: int = 900) -> str:
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    inside = x**2 + y**2 + z**2 < 0.7
    noise = np.random.default_rng(seed).integers(0, max(top // 9, 1), shape)
    image = np.minimum(inside * (top - top // 9) + noise, top)
    nibabel.save(nibabel.Nifti1Image(image.astype(np.int16), AFFINE), name)
    return name


def scan_of(name: str, share: float) -> MeasuredScan:
    """A scan whose measures stand at one share of the population of ABIDE."""
    known = populations()["abide"].quantiles
    values = {
        n: known[n][int(share * (len(known[n]) - 1))] if n in known else 1.0 for n in MEASURES
    }
    return MeasuredScan(name, values, "mriqc-0.15", "T1w")


def documents(text: str) -> list[Any]:
    loaded = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    for one in loaded:
        VALIDATOR.validate(one)
    return loaded


def test_the_table_of_measures(run: Run, capsys: Captured) -> None:
    assert run("metrics", save("sub-01_T1w.nii.gz")) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert told.err == ""
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("sub-01_T1w.nii.gz   T1w, 2.0 x 2.0 x 2.0 mm, 3-D")
    assert lines[1] == "  measures  62 of 68, by the definition corrected"
    assert lines[3] == "  signal and noise      value unit    better"
    assert lines[4] == "    cjv                0.5000         lower"
    assert "  no value  qi_1, qi_2, snrd_*: there is no air" in lines
    assert any(line.startswith("  rank      none: population 'abide'") for line in lines)
    assert any(line.startswith("  rating    none: ") for line in lines)


def test_json_is_one_document_for_each_scan(run: Run, capsys: Captured) -> None:
    save("a_T1w.nii"), save("b.nii", seed=1)
    assert run("metrics", "a_T1w.nii", "b.nii", "--json") == 0
    one, other = documents(capsys.readouterr().out)
    assert one["input"] == "a_T1w.nii"
    assert one["definition"] == "corrected"
    assert one["metrics"]["cjv"]["value"] == 0.5
    assert one["metrics"]["qi_1"]["reason_if_null"]["value"] == "there is no air"
    assert (one["contrast"], other["contrast"]) == ("T1w", None)
    assert set(one["metrics"]) == set(MEASURES)


def test_a_matching_definition_and_contrast_give_a_percentile(run: Run, capsys: Captured) -> None:
    save("a_T1w.nii"), save("b_T2w.nii", seed=1)
    assert run("metrics", ".", "--definition", "mriqc-0.15", "--json") == 0
    one, other = documents(capsys.readouterr().out)
    assert one["metrics"]["cjv"]["population"]["name"] == "abide"
    assert other["metrics"]["cjv"]["percentile"] is None
    assert "T2w" in other["metrics"]["cjv"]["reason_if_null"]["percentile"]
    assert run("metrics", "a_T1w.nii", "--definition", "mriqc-0.15", "--population", "mr-art") == 0
    assert "among     148 scans of mr-art" in capsys.readouterr().out


def test_only_some(run: Run, capsys: Captured) -> None:
    save("a_T1w.nii")
    assert run("metrics", "a_T1w.nii", "--only", "snr,cjv", "--json") == 0
    [document] = documents(capsys.readouterr().out)
    assert set(document["metrics"]) == {"cjv", "snr_csf", "snr_gm", "snr_wm", "snr_total"}


def test_a_batch_goes_on_past_a_bad_file_and_a_bug(run: Run, capsys: Captured) -> None:
    save("a.nii"), save("c.nii", seed=1)
    Path("b.nii.gz").write_text("this is a text")
    assert run("metrics", "a.nii", "b.nii.gz", "c.nii", "absent.nii") == 3
    told = capsys.readouterr()
    assert told.out.count("  measures  62 of 68") == 2
    assert [line.split(":")[0] for line in told.err.splitlines()] == [
        "absent.nii", "b.nii.gz", "done",
    ]  # fmt: skip
    save("bug.nii", top=13)
    assert run("metrics", "bug.nii", "a.nii") == 1
    told = capsys.readouterr()
    assert "bug.nii: a bug in isocenter (TypeError: half a voxel)" in told.err
    assert "measures  62" in told.out


def test_files_as_mriqc_writes_them(run: Run, tmp_path: Path, capsys: Captured) -> None:
    save("sub-01_T1w.nii.gz"), save("sub-02_T1w.nii.gz", seed=1), save("sub-02_T2w.nii.gz", seed=2)
    assert run("metrics", ".", "--definition", "mriqc-24", "--out", "out/deep", "--quiet") == 0
    assert capsys.readouterr() == ("", "")
    folder = tmp_path / "out/deep"
    assert {path.name for path in folder.iterdir()} == {
        "sub-01_T1w.json", "sub-02_T1w.json", "sub-02_T2w.json", "group_T1w.tsv", "group_T1w.json",
        "group_T2w.tsv", "group_T2w.json",
    }  # fmt: skip
    rows = mriqc.read(folder / "group_T1w.tsv")
    assert [scan.name for scan in rows] == ["sub-01_T1w", "sub-02_T1w"]
    alone = mriqc.read_document(folder / "sub-01_T1w.json")
    assert alone.measures == rows[0].measures
    assert (alone.definition, alone.contrast) == ("mriqc-24", "T1w")
    assert alone.measures["qi_1"] is None
    assert alone.measures["cjv"] == 0.5


def test_a_document_of_mriqc(run: Run, capsys: Captured) -> None:
    write_document(scan_of("sub-09_T1w", 0.5), "sub-09_T1w.json")
    assert run("metrics", "sub-09_T1w.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sub-09_T1w   T1w, from sub-09_T1w.json"
    assert lines[1] == "  measures  68 of 68, by the definition mriqc-0.15"
    assert lines[2] == "  among     1101 scans of abide"
    assert lines[4].endswith("better   percentile   5 % to 95 %")
    assert any("50th" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_table_of_many_scans_is_one_line_each(run: Run, capsys: Captured) -> None:
    scans = [scan_of(f"sub-{n}_T1w", share) for n, share in (("good", 0.5), ("high", 0.999))]
    write_table(scans, "group_T1w.tsv")
    assert run("metrics", "group_T1w.tsv") == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert told.err == "done: 2 ok, 0 failed\n"
    assert lines[0] == "group_T1w.tsv   2 scans, mriqc-0.15"
    assert max(map(len, lines)) <= 80
    good, high = lines[-2:]
    assert good.split()[:2] == ["sub-good_T1w", "0"]
    assert int(high.split()[1]) > 5
    assert run("metrics", "group_T1w.tsv", "--json") == 0
    one, other = documents(capsys.readouterr().out)
    assert (one["input"], other["input"]) == ("sub-good_T1w", "sub-high_T1w")
    assert set(one["ratings"]) == set(RATERS)


def test_a_file_that_does_not_say_its_definition(run: Run, capsys: Captured) -> None:
    write_table([scan_of("sub-1_T1w", 0.5)], "group_T1w.tsv")
    Path("group_T1w.json").unlink()
    assert run("metrics", "group_T1w.tsv") == 2
    assert "corrected" in capsys.readouterr().err
    assert run("metrics", "group_T1w.tsv", "--definition", "mriqc-0.15") == 0


def test_a_file_without_the_right_columns_stops_nobody(run: Run, capsys: Captured) -> None:
    Path("odd.tsv").write_text("participant_id\tage\nsub-1\t30\n")
    write_document(scan_of("sub-09_T1w", 0.5), "sub-09_T1w.json")
    assert run("metrics", "odd.tsv", "sub-09_T1w.json", "--definition", "mriqc-0.15") == 3
    told = capsys.readouterr()
    assert told.err.splitlines()[0].startswith("odd.tsv: the first column is 'participant_id'")
    assert "68 of 68" in told.out


def test_a_comparison(run: Run, capsys: Captured) -> None:
    save("clean.nii"), save("worse.nii", seed=1)
    assert run("metrics", "worse.nii", "--reference", "clean.nii", "--only", "psnr,gmsd,vif") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  against   clean.nii"
    assert lines[2].startswith("  where     inside the reference's head (")
    assert lines[3] == "  range     899"
    assert lines[5] == "  metric             value unit   better  how"
    assert lines[6].split()[0::2] == ["psnr", "dB", "volume"]
    assert lines[6].split()[3] == "higher"
    assert any(line.startswith("  no value  vif: ") for line in lines)


@pytest.mark.parametrize(
    ("words", "where"),
    [((), "inside the reference's head"), (("--no-mask",), "everywhere"),
     (("--mask", "mask.nii"), "inside the mask")],
)  # fmt: skip
def test_where_and_in_which_range(
    run: Run, capsys: Captured, words: tuple[str, ...], where: str
) -> None:
    save("clean.nii"), save("worse.nii", seed=1)
    mask = np.zeros((24, 22, 20), np.uint8)
    mask[5:15, 5:15, 5:15] = 1
    nibabel.save(nibabel.Nifti1Image(mask, AFFINE), "mask.nii")
    options = ("--reference", "clean.nii", "--only", "psnr,nmse", "--json", *words)
    assert run("metrics", "worse.nii", *options, "--data-range", 1000) == 0
    [document] = documents(capsys.readouterr().out)
    told = document["comparison"]
    assert (told["where"], told["data_range"], told["reference"]) == (where, 1000, "clean.nii")
    if "--mask" in words:
        assert told["n_voxels"] == 1000
    assert document["definition"] is None
    assert document["metrics"]["psnr"]["value"] > 5


def test_an_identical_reference(run: Run, capsys: Captured) -> None:
    save("clean.nii")
    assert run("metrics", "clean.nii", "--reference", "clean.nii", "--only", "psnr,ssim") == 0
    assert "  no value  psnr: identical to the reference" in capsys.readouterr().out


def test_another_grid_is_one_line(run: Run, capsys: Captured) -> None:
    save("clean.nii", shape=(20, 22, 20)), save("worse.nii")
    assert run("metrics", "worse.nii", "--reference", "clean.nii") == 3
    assert "resample it first" in capsys.readouterr().err
    for option in ("--brain-mask", "--head-mask"):
        assert run("metrics", "worse.nii", option, "clean.nii") == 3
        assert "is not on the scan's grid" in capsys.readouterr().err
    assert run("metrics", "worse.nii", "--tissue", "worse.nii", "clean.nii", "worse.nii") == 3
    assert "the map of grey matter" in capsys.readouterr().err


def test_maps_by_their_bids_names(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from isocenter.assessors import _measured

    given: dict[str, Any] = {}

    def kept(volume: Volume, **options: object) -> tuple[Score, ...]:
        given.update(options)
        return made_measures(volume)

    monkeypatch.setattr(_measured, "measure", kept)
    save("sub-1_T1w.nii.gz")
    for part, value in (("CSF", 0.2), ("GM", 0.5), ("WM", 0.3)):
        image = np.full((24, 22, 20), value, np.float32)
        image[:2] = 0
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), f"sub-1_label-{part}_probseg.nii.gz")
    assert run("metrics", "sub-1_T1w.nii.gz", "--derivatives", "sub-1") == 0
    assert float(given["tissue"].gm.max()) == pytest.approx(0.5)
    assert given["brain"] is None
    nibabel.save(nibabel.Nifti1Image(image, AFFINE), "sub-1_desc-brain_mask.nii.gz")
    assert run("metrics", "sub-1_T1w.nii.gz", "--derivatives", "sub-1") == 0
    assert int(given["brain"].sum()) == 22 * 22 * 20


def test_the_maps_of_a_template_need_not_be_on_the_scans_grid(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from isocenter.assessors import _measured

    given: dict[str, Any] = {}

    def kept(volume: Volume, **options: object) -> tuple[Score, ...]:
        given.update(options)
        return made_measures(volume)

    monkeypatch.setattr(_measured, "measure", kept)
    save("sub-1_T1w.nii.gz")
    coarse = np.diag([3.0, 3.0, 3.0, 1.0])
    nibabel.save(
        nibabel.Nifti1Image(np.linspace(0, 1, 504, dtype=np.float32).reshape(9, 8, 7), coarse),
        "t.nii",
    )
    assert run("metrics", "sub-1_T1w.nii.gz", "--template", "t.nii", "t.nii", "t.nii") == 0
    assert [part.shape for part in given["template"]] == [(9, 8, 7)] * 3
    assert run("metrics", "sub-1_T1w.nii.gz", "--template", "t.nii", "no.nii", "t.nii") == 2
    assert "--template no.nii: there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ([], 2, "PATH"),
        (["absent.nii"], 4, "nothing matched"),
        (["a.nii", "--refrence", "a.nii"], 2, "--reference"),
        (["a.nii", "--reference", "b.nii"], 2, "--reference b.nii: there is no such file"),
        (["a.nii", "--reference", "a.nii", "--only", "pnsr"], 2, "did you mean 'psnr'"),
        (["a.nii", "--only", "cvj"], 2, "did you mean 'cjv'"),
        (["a.nii", "--only", "psnr"], 2, "give --reference"),
        (["a.nii", "--reference", "a.nii", "--only", "cjv"], 2, "leave --reference out"),
        (["a.nii", "--reference", "a.nii", "--only", "piqe"], 2, "knows no reference"),
        (["a.nii", "--only", "piqe,cjv"], 2, "one after the other"),
        (["a.nii", "--only", ","], 2, "NAME,NAME"),
        (["a.nii", "--reference", "a.nii", "--data-range", "-1"], 2, "positive"),
        (["a.nii", "--reference", "a.nii", "--data-range", "nan"], 2, "positive"),
        (["a.nii", "--data-range", "1"], 2, "give --reference"),
        (["a.nii", "--all"], 2, "give --reference"),
        (["a.nii", "--reference", "a.nii", "--all", "--only", "psnr"], 2, "exclude each other"),
        (["a.nii", "--reference", "a.nii", "--mask", "a.nii", "--no-mask"], 2, "exclude"),
        (["a.nii", "--reference", "a.nii", "--plane", "axal"], 2, "axial"),
        (["a.nii", "--reference", "a.nii", "--out", "x"], 2, "--out is for measures"),
        (["a.nii", "--definition", "mriqc-23"], 2, "did you mean 'mriqc-24'"),
        (["a.nii", "--population", "abid"], 2, "did you mean 'abide'"),
        (["a.nii", "--brain-mask", "b.nii"], 2, "--brain-mask b.nii: there is no such file"),
        (["a.nii", "--tissue", "a.nii", "a.nii"], 2, "--tissue"),
        (["a.nii", "--derivatives", "sub-1"], 2, "sub-1_label-CSF_probseg.nii.gz"),
        (["a.nii", "--workers", "0"], 2, "--workers"),
        (["m.json", "--brain-mask", "a.nii"], 2, "holds numbers"),
        (["m.json", "--reference", "a.nii"], 2, "holds numbers"),
        (["m.json", "--definition", "mriqc-24"], 2, "'mriqc-0.15', not of 'mriqc-24'"),
    ],
)
def test_wrong_words_are_one_line_with_a_cure(
    run: Run, capsys: Captured, words: list[str], code: int, sentence: str
) -> None:
    save("a.nii")
    write_document(scan_of("m", 0.5), "m.json")
    assert run("metrics", *words) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert sentence in told.err.splitlines()[-1]
    assert "Traceback" not in told.err


def test_an_odd_name_breaks_no_line(run: Run, capsys: Captured) -> None:
    save("in\x1b[31m\nred.nii")
    assert run("metrics", "in\x1b[31m\nred.nii") == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.splitlines())
