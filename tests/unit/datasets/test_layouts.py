"""Data sets are found by the names that they have as downloaded, and held against their size."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocenter.data import io
from isocenter.datasets import catalogue
from isocenter.datasets.layouts._layout import Checked, Expected, Layout
from isocenter.datasets.scan import Scan
from isocenter.errors import NothingFound, UnknownName
from tests.unit.datasets.trees import SCANS, TREES, plant

every_tree = pytest.mark.parametrize("name", sorted(TREES))


def said(scans: tuple[Scan, ...]) -> list[tuple[str, str | None, str | None]]:
    return [(scan.person, scan.contrast, scan.session) for scan in scans]


def small(name: str, *expected: Expected) -> Layout:
    """The entry, with other numbers."""
    return dataclasses.replace(catalogue.layout(name), expected=expected)


def faults(checked: Checked) -> dict[str, str]:
    return {fault.path.as_posix(): fault.what for fault in checked.faults}


@every_tree
def test_scans_are_found_by_their_names_and_can_be_read(name: str, tmp_path: Path) -> None:
    plant(tmp_path, *TREES[name])
    scans = catalogue.index(name, tmp_path)
    assert said(scans) == SCANS[name]
    assert {scan.dataset for scan in scans} == {name}
    for scan in scans:
        assert sorted(io.read(scan.path).shape) == [8, 9, 10]


@pytest.mark.parametrize("name", [*sorted(TREES), "mriqc"])
def test_the_example_of_an_entry_is_one_of_its_scans(name: str, tmp_path: Path) -> None:
    example = catalogue.layout(name).example
    plant(tmp_path, example.replace(".hdr", ".img"))
    assert [scan.path for scan in catalogue.index(name, tmp_path)] == [tmp_path / example]


@every_tree
def test_the_order_of_the_file_system_does_not_matter(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, *TREES[name])
    before = catalogue.index(name, tmp_path)
    walk, glob = os.walk, Path.glob

    def backwards(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
        for place, folders, files in walk(top):
            folders.sort(reverse=True)
            yield place, folders, sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    monkeypatch.setattr(Path, "glob", lambda self, what: sorted(glob(self, what), reverse=True))
    assert catalogue.index(name, tmp_path) == before


@every_tree
def test_hidden_files_and_folders_are_passed_over(name: str, tmp_path: Path) -> None:
    plant(tmp_path, *TREES[name])
    before = catalogue.index(name, tmp_path)
    plant(tmp_path / ".git", *TREES[name])
    for scan in before:
        scan.path.with_name(f"._{scan.path.name}").write_bytes(b"a ghost of another system")
    assert catalogue.index(name, tmp_path) == before
    assert catalogue.check(name, tmp_path).faults == ()


@every_tree
def test_links_that_lead_out_of_the_folder_are_not_followed(name: str, tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    plant(elsewhere, *TREES[name])
    root.mkdir()
    (root / "all").symlink_to(elsewhere)
    with pytest.raises(NothingFound):
        catalogue.index(name, root)
    for folder in elsewhere.iterdir():
        (root / folder.name).symlink_to(folder)
    with pytest.raises(NothingFound):
        catalogue.index(name, root)
    for link in root.iterdir():
        link.unlink()
    first = catalogue.index(name, elsewhere)[0].path.relative_to(elsewhere)
    (root / first).parent.mkdir(parents=True)
    for half in {first, first.with_suffix(".img") if first.suffix == ".hdr" else first}:
        (root / half).symlink_to(elsewhere / half)
    with pytest.raises(NothingFound):
        catalogue.index(name, root)
    (what,) = faults(catalogue.check(name, root)).values()
    assert "leads out of the folder" in what


@every_tree
def test_an_empty_scan_is_named_and_not_indexed(name: str, tmp_path: Path) -> None:
    plant(tmp_path, *TREES[name])
    before = catalogue.index(name, tmp_path)
    victim = before[0].path
    victim.write_bytes(b"")
    assert catalogue.index(name, tmp_path) == before[1:]
    checked = catalogue.check(name, tmp_path)
    assert faults(checked) == {victim.relative_to(tmp_path).as_posix(): f"{victim.name} is empty"}
    assert not checked.complete


@pytest.mark.parametrize("gone", [".hdr", ".img"])
def test_half_a_pair_is_named_and_not_indexed(gone: str, tmp_path: Path) -> None:
    plant(tmp_path, *TREES["oasis"])
    half = tmp_path / "disc1/OAS1_0001_MR1/RAW/OAS1_0001_MR1_mpr-2_anon.img"
    half.with_suffix(gone).unlink()
    other = {".hdr": ".img", ".img": ".hdr"}[gone]
    assert said(catalogue.index("oasis", tmp_path)) == SCANS["oasis"][1:]
    assert faults(catalogue.check("oasis", tmp_path)) == {
        half.with_suffix(other).relative_to(tmp_path).as_posix(): (
            f"half of a pair: OAS1_0001_MR1_mpr-2_anon{gone} is missing"
        )
    }


def test_half_a_pair_is_named_in_a_plain_folder_too(tmp_path: Path) -> None:
    plant(tmp_path, "a.img", "b.nii")
    (tmp_path / "a.hdr").unlink()
    assert [scan.path.name for scan in catalogue.index("plain", tmp_path)] == ["b.nii"]
    assert faults(catalogue.check("plain", tmp_path)) == {
        "a.img": "half of a pair: a.hdr is missing"
    }


def test_content_that_was_never_fetched_is_told(tmp_path: Path) -> None:
    plant(tmp_path, *TREES["arc"])
    scan = catalogue.index("arc", tmp_path)[0].path
    scan.unlink()
    scan.symlink_to("../../../.git/annex/objects/absent.nii.gz")
    (what,) = faults(catalogue.check("arc", tmp_path)).values()
    assert what == "a link to nothing: its content was never fetched"


def test_a_folder_above_or_below_is_as_good(tmp_path: Path) -> None:
    plant(tmp_path / "a/b", *TREES["oasis"])
    above = catalogue.index("oasis", tmp_path)
    assert above == catalogue.index("oasis", tmp_path / "a/b")
    assert catalogue.index("oasis", tmp_path / "a/b/disc1") == above[:2]


def test_the_minc_library_of_nfbs_counts_before_its_other_release(tmp_path: Path) -> None:
    plant(
        tmp_path,
        *TREES["nfbs"],
        "library_NFBS/NFBS/stx/1mm/0001.mnc",
        "library_NFBS/NFBS/stx/2mm/0001.mnc",
        "library_NFBS/NFBS/masks/1mm/0001.mnc",
    )
    (scan,) = catalogue.index("nfbs", tmp_path)
    assert (scan.person, scan.path.parent.name) == ("0001", "1mm")
    assert io.read(scan.path).shape == (8, 9, 10)


def test_abide_as_first_released_is_known(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "NYU/0050952/session_1/anat_1/mprage.nii.gz",
        "Caltech/Caltech_0051456/session_1/anat_1/mprage.nii.gz",
        "NYU/0050952/session_1/rest_1/rest.nii.gz",
    )
    assert said(catalogue.index("abide", tmp_path)) == [
        ("0050952", "T1w", "session_1"),
        ("0051456", "T1w", "session_1"),
    ]


def test_unprocessed_scans_of_hcp_are_known(tmp_path: Path) -> None:
    folder = "100206/unprocessed/3T"
    plant(
        tmp_path,
        f"{folder}/T1w_MPR1/100206_3T_T1w_MPR1.nii.gz",
        f"{folder}/T2w_SPC1/100206_3T_T2w_SPC1.nii.gz",
        f"{folder}/T1w_MPR1/100206_3T_FieldMap_Phase.nii.gz",
    )
    assert said(catalogue.index("hcp", tmp_path)) == [
        ("100206", "T1w", "T1w_MPR1"),
        ("100206", "T2w", "T2w_SPC1"),
    ]


def test_documents_of_mriqc_are_counted_and_sidecars_are_not(tmp_path: Path) -> None:
    plant(tmp_path, "sub-01/anat/sub-01_T1w.json", "sub-02/ses-1/anat/sub-02_ses-1_T1w.json")
    (tmp_path / "sub-03_T1w.json").write_text(json.dumps({"EchoTime": 0.003}))
    (tmp_path / "sub-04_T1w.json").write_text('{"cjv": 0.4')
    (tmp_path / "sub-05_T1w.json").write_text("")
    (tmp_path / "group_T1w.tsv").write_text("bids_name\tcjv\nsub-01_T1w\t0.4\n")
    scans = catalogue.index("mriqc", tmp_path)
    assert said(scans) == [("sub-01", "T1w", None), ("sub-02", "T1w", "ses-1")]
    assert faults(catalogue.check("mriqc", tmp_path)) == {
        "sub-04_T1w.json": "no JSON in UTF-8: written by half",
        "sub-05_T1w.json": "sub-05_T1w.json is empty",
    }


def test_without_documents_the_rows_of_a_table_of_mriqc_count(tmp_path: Path) -> None:
    (tmp_path / "group_T2w.tsv").write_text(
        "bids_name\tcjv\nsub-01_ses-a_T2w\t0.4\nsub-02_acq-x_T2w\t0.5\n"
    )
    assert said(catalogue.index("mriqc", tmp_path)) == [
        ("sub-01", "T2w", "ses-a"),
        ("sub-02", "T2w", None),
    ]


def rated(folder: Path, *names: str) -> None:
    for name in names:
        Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(folder / name)
    (folder / "mos.csv").write_text(
        "image,reference,mos\nknee_1.png,knee.png,71\nknee_2.png,knee.png,20\n"
    )
    (folder / "readers.csv").write_text("reader,years\n1,12\n")


def test_rated_images_go_by_their_reference(tmp_path: Path) -> None:
    rated(tmp_path, "knee.png", "knee_1.png", "knee_2.png")
    scans = catalogue.index("rad_iqmri", tmp_path)
    assert [scan.path.name for scan in scans] == ["knee.png", "knee_1.png", "knee_2.png"]
    assert {scan.person for scan in scans} == {"knee"}


def test_images_that_the_ratings_name_and_that_are_not_there_are_named(tmp_path: Path) -> None:
    rated(tmp_path, "knee.png", "knee_1.png")
    assert "knee_2.png" in faults(catalogue.check("rad_iqmri", tmp_path))["mos.csv"]


def test_what_is_there_is_held_against_what_there_should_be(tmp_path: Path) -> None:
    plant(tmp_path, *TREES["ixi"])
    wanted = (Expected("T1w", 2, 2), Expected("T2w", 2, 2), Expected("FLAIR", 1, 1))
    checked = small("ixi", *wanted).check(tmp_path)
    counts = [(count.contrast, count.people, count.images) for count in checked.counts]
    assert counts == [("T1w", 2, 2), ("T2w", 1, 1), ("FLAIR", 0, 0), ("PDw", 1, 1)]
    missing = {count.contrast: count.missing for count in checked.counts if count.missing}
    assert missing == {
        "T2w": ("1 of 2 people", "1 of 2 images"),
        "FLAIR": ("1 of 1 people", "1 of 1 images"),
    }
    assert not checked.complete


def test_more_than_there_should_be_is_complete(tmp_path: Path) -> None:
    plant(tmp_path, *TREES["ixi"])
    assert small("ixi", Expected("T1w", 1, 1)).check(tmp_path).complete
    assert small("ixi", Expected("T1w", 2, 2)).check(tmp_path).complete
    assert small("ixi").check(tmp_path).complete


def test_people_with_fewer_images_than_everyone_has_are_named(tmp_path: Path) -> None:
    people = [f"OAS1_{number:04}" for number in range(1, 8)]
    plant(tmp_path, *(f"disc1/{p}_MR1/RAW/{p}_MR1_mpr-1_anon.img" for p in people))
    plant(tmp_path, *(f"disc1/{people[0]}_MR1/RAW/{people[0]}_MR1_mpr-{n}_anon.img" for n in "23"))
    (count,) = catalogue.check("oasis", tmp_path).counts
    assert count.few == tuple(people[1:])
    assert count.missing[-1] == (
        "images of people who should have 3 or more: OAS1_0002, OAS1_0003, OAS1_0004 and 3 more"
    )


def test_an_unknown_data_set_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'oasis'"):
        catalogue.index("oasi", tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="no such folder"):
        catalogue.check("ixi", tmp_path / "absent")


@pytest.mark.data
def test_the_collection_is_complete(data_root: Path) -> None:
    assert catalogue.check("collection", data_root).complete
