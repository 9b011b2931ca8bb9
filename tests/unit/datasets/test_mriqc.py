"""MRIQC's files: read as they come, refused in one sentence, written and read back equal."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from isocenter.datasets import mriqc
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.errors import InputError, UnknownName, UsageError
from isocenter.reports import mriqc as written

VALUES = np.random.default_rng(3).normal(100, 60, len(MEASURES))


def scan(name: str = "sub-01_ses-a_T1w", **changes: object) -> MeasuredScan:
    measures: dict[str, float | None] = dict(zip(MEASURES, map(float, VALUES), strict=True))
    made = MeasuredScan(
        name=name,
        measures={**measures, "qi_2": None, "fber": 1 / 3},
        definition="mriqc-24",
        contrast="T1w",
    )
    return dataclasses.replace(made, **changes)


def save(folder: Path, text: str, name: str = "group_T1w.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_there_are_68_measures_in_the_order_of_columns() -> None:
    assert len(MEASURES) == 68
    assert list(MEASURES) == sorted(MEASURES)
    assert sum(not name.startswith(("size", "spacing")) for name in MEASURES) == 62


def test_a_table_comes_back_equal(tmp_path: Path) -> None:
    scans = (scan(), scan("sub-02_T1w", others={"site": "NYU"}), scan("sub-03_T1w"))
    path = written.write_table(scans, tmp_path / "group_T1w.tsv")
    first, second, third = mriqc.read(path)
    assert first == dataclasses.replace(scans[0], others={"site": "n/a"})
    assert second == scans[1]
    assert third.measures == scans[2].measures


def test_a_document_comes_back_equal(tmp_path: Path) -> None:
    meta = {"modality": "T1w", "subject_id": "01", "EchoTime": 0.003}
    whole = scan(bids_meta=meta, provenance={"version": "24.0.2"}, others={"new_key": 4.5})
    path = written.write_document(whole, tmp_path / "sub-01_ses-a_T1w.json")
    assert mriqc.read(path) == (whole,)


def test_a_document_is_sorted_in_two_spaces_with_flat_keys(tmp_path: Path) -> None:
    path = written.write_document(scan(), tmp_path / "sub-01_ses-a_T1w.json")
    text = path.read_text()
    content = json.loads(text)
    assert text == json.dumps(content, sort_keys=True, indent=2) + "\n"
    assert set(MEASURES) | {"bids_meta", "provenance", "definition"} == set(content)
    assert content["qi_2"] is None


def test_the_table_begins_with_the_name_and_says_what_is_missing(tmp_path: Path) -> None:
    header, row = written.table([scan()]).splitlines()
    assert header.split("\t") == ["bids_name", *MEASURES]
    assert row.split("\t")[header.split("\t").index("qi_2")] == "n/a"


def test_every_column_is_described() -> None:
    content = written.dictionary("corrected")
    assert set(content) == {"bids_name", *MEASURES, "definition"}
    columns = [content[name] for name in MEASURES]
    assert all(set(column) == {"Description", "Units", "better"} for column in columns)
    assert len({column["Description"] for column in columns}) == len(MEASURES)
    assert {column["better"] for column in columns} == {"higher", "lower", None}
    assert content["spacing_x"]["Units"] == "mm"
    assert (content["cjv"]["better"], content["snr_wm"]["better"]) == ("lower", "higher")


@pytest.mark.parametrize(
    ("version", "definition"),
    [
        ("0.15.1", "mriqc-0.15"),
        ("0.16.1", "mriqc-0.15"),
        ("23.1.0", "mriqc-24"),
        ("24.1.0.dev0+gd5b13cb5", "mriqc-24"),
        ("25.0.0rc0", "mriqc-24"),
        ("23.0.1", None),
        ("22.0.6", None),
        ("0.9.3", None),
        ("unknown", None),
    ],
)
def test_a_release_tells_the_definition(version: str, definition: str | None) -> None:
    assert mriqc.definition_of(version) == definition


def test_the_version_of_a_document_tells_its_definition(tmp_path: Path) -> None:
    content = {"cjv": 0.4, "provenance": {"version": "0.16.1"}, "bids_meta": {"modality": "T2w"}}
    path = save(tmp_path, json.dumps(content), "odd.json")
    read = mriqc.read_document(path)
    assert (read.definition, read.contrast, read.measures) == ("mriqc-0.15", "T2w", {"cjv": 0.4})


def test_a_definition_must_be_said_by_the_file_or_the_caller(tmp_path: Path) -> None:
    path = save(tmp_path, "bids_name\tcjv\nsub-01_T1w\t0.4\n")
    with pytest.raises(UsageError, match="does not say by which formulas.*mriqc-0.15, mriqc-24"):
        mriqc.read(path)
    assert mriqc.read(path, definition="mriqc-0.15")[0].definition == "mriqc-0.15"
    with pytest.raises(UnknownName, match="did you mean 'mriqc-24'"):
        mriqc.read(path, definition="mriqc-25")
    save(tmp_path, '{"definition": "corrected"}', "group_T1w.json")
    assert mriqc.read(path)[0].definition == "corrected"
    with pytest.raises(UsageError, match="'corrected', not of 'mriqc-24'"):
        mriqc.read(path, definition="mriqc-24")


@pytest.mark.parametrize("text", ["n/a", "", "NaN", "nan", "inf", " "])
def test_what_is_no_number_in_words_is_missing(tmp_path: Path, text: str) -> None:
    path = save(tmp_path, f"bids_name\tcjv\tcnr\nsub-01_T1w\t{text}\t2\n")
    (read,) = mriqc.read(path, definition="mriqc-24")
    assert read.measures == {"cjv": None, "cnr": 2.0}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("subject\tcjv\nx\t1\n", "first column is 'subject'"),
        ("bids_name\tfd_mean\nsub-01_bold\t1\n", "no structural measure"),
        ("bids_name\tcjv\nsub-01_T1w\n", "line 2 has 1 cells, the header 2"),
        ("bids_name\tcjv\nsub-01_T1w\tgood\n", "cjv of sub-01_T1w is 'good', no number"),
        ("bids_name\tcjv\tcjv\na\t1\t2\n", "'cjv' stands there twice"),
        ("bids_name\tcjv\na\t1\na\t2\n", "'a' stands in several rows"),
        ("bids_name\tcjv\n\t1\n", "a row has no bids_name"),
        ("bids_name,cjv\na,1\n", "first column is 'bids_name,cjv'"),
        ("bids_name\tcjv\n" + "a" * 200_000 + "\t1\n", "is no table"),
    ],
)
def test_a_malformed_table_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = save(tmp_path, text)
    with pytest.raises(InputError, match=sentence) as caught:
        mriqc.read(path, definition="mriqc-24")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1]", "holds no JSON object"),
        ('{"cjv": 1, "provenance": 3}', "'provenance' holds no object"),
        ('{"cjv": [1]}', "is no number|no number"),
        ('{"cjv": true}', "cjv is 'True', no number"),
        ('{"fd_mean": 1}', "no structural measure"),
    ],
)
def test_a_malformed_document_gets_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = save(tmp_path, text, "sub-01_T1w.json")
    with pytest.raises(InputError, match=sentence):
        mriqc.read(path, definition="mriqc-24")


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        mriqc.read(tmp_path / "gone.tsv", definition="mriqc-24")
    path = tmp_path / "group_T1w.tsv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        mriqc.read(path, definition="mriqc-24")
    with pytest.raises(UnknownName, match="ending"):
        mriqc.read(tmp_path / "group_T1w.csv")


def test_what_does_not_belong_together_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "group_T1w.tsv"
    with pytest.raises(UsageError, match="do not compare"):
        written.write_table([scan(), scan("sub-02_T1w", definition="corrected")], path)
    with pytest.raises(UsageError, match="one name"):
        written.write_table([scan(), scan()], path)
    with pytest.raises(UsageError, match="at least one"):
        written.write_table([], path)
    with pytest.raises(UsageError, match=".tsv"):
        written.write_table([scan()], tmp_path / "group_T1w.csv")
    assert not list(tmp_path.iterdir())


def test_the_place_of_a_document_is_that_of_mriqc() -> None:
    assert str(written.place("sub-01_T1w")) == "sub-01/anat/sub-01_T1w.json"
    for name in ("T1w", "sub-01/../../x_T1w", "sub-.._T1w"):
        with pytest.raises(UsageError, match="BIDS name"):
            written.place(name)


@pytest.mark.data
def test_the_table_of_abide_has_the_known_medians(data_root: Path) -> None:
    scans = mriqc.read(data_root / "tables/abide.tsv", definition="mriqc-0.15")
    known = {"cjv": 0.342, "cnr": 3.72, "efc": 0.705, "fber": 196, "fwhm_avg": 3.68,
             "snr_total": 9.52, "snrd_total": 21.9, "wm2max": 0.561,
             "tpm_overlap_gm": 0.506}  # fmt: skip
    assert len(scans) == 1101
    assert {one.others["site"] for one in scans} >= {"NYU", "UM", "YALE"}
    for name, value in known.items():
        median = np.median([one.measures[name] for one in scans])
        assert median == pytest.approx(value, rel=2e-3), name


@pytest.mark.data
def test_the_table_of_mr_art_is_read_and_written_whole(data_root: Path, tmp_path: Path) -> None:
    path = data_root / "tables/mr_art_mriqc_group_T1w.tsv"
    scans = mriqc.read(path, definition="mriqc-0.15")
    assert len(scans) == 436
    assert {one.contrast for one in scans} == {"T1w"}
    again = written.write_table(scans, tmp_path / "group_T1w.tsv")
    assert again.read_text().splitlines()[0] == path.read_text().splitlines()[0]
    assert mriqc.read(again) == scans
