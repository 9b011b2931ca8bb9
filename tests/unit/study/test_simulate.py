"""A benchmark of known damage: the same bytes by every way, and nothing lost on the way."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import isocenter as iso
from isocenter.artifacts import PRISTINE, benchmark_versions, make_version, replay
from isocenter.data.io import cropped, write
from isocenter.data.step import Step
from isocenter.datasets.benchmark import COLUMNS, read_benchmark, scan_name
from isocenter.datasets.scan import Scan
from isocenter.errors import InputError, MissingExtra, NothingFound, ResourceError, UsageError
from isocenter.study._benchmark_images import LARGEST_LOSS, int16_loss
from isocenter.study._cluster import run_on_cluster
from isocenter.study.simulate import estimate, make_job, simulate
from isocenter.study.sources import find_sources
from tests.unit.study.scans import made_scan, small_job, tree, write_scans


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scans(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def undisturbed(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of one process that nobody disturbed."""
    out = tmp_path_factory.mktemp("undisturbed") / "bench"
    simulated = simulate(small_job(clean, out))
    assert (simulated.n_images, simulated.n_made, simulated.n_kept) == (12, 12, 0)
    assert simulated.whole
    assert not simulated.failed
    return out


def test_every_scan_is_there_in_every_version(clean: Path, undisturbed: Path) -> None:
    images = read_benchmark(undisturbed)
    assert len(images) == 4 * 3
    versions = [("noise", 3), ("bias", 3), (PRISTINE, 0)]
    assert [(image.artifact, image.level) for image in images] == 4 * versions
    assert [image.person for image in images] == sorted(image.person for image in images)
    for image in images:
        assert image.path.is_file()
        assert (clean / image.source).is_file()
        assert image.contrast == "T1w"
    expected = {"job.json", "labels.tsv", "labels.json"}
    for image in images:
        name = image.path.relative_to(undisturbed).as_posix()
        expected |= {name, name.removesuffix(".nii.gz") + ".json"}
    assert set(tree(undisturbed)) == expected


def test_the_crop_comes_before_the_damage(clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    versions = benchmark_versions("hsfnet-2025", ["ghosting"], [2])
    scans = find_sources(clean).scans[:1]
    job = make_job(scans, versions, source=clean, out=out, seed=7, crop=(9, 8, 7))
    simulate(job)
    whole = iso.read(scans[0].path)
    middle = cropped(whole, (9, 8, 7))
    by_hand = make_version(
        middle, versions[0], person=scans[0].person, scan_name=scan_name(scans[0]), seed=7
    )
    damaged, pristine = read_benchmark(out)
    written = iso.read(damaged.path)
    torch.testing.assert_close(written.data, by_hand.data, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(written.affine, middle.affine, atol=1e-5)
    assert damaged.params == by_hand.history[-1].params
    assert pristine.params == {}
    assert torch.equal(replay(whole, by_hand.history).data, by_hand.data)
    with pytest.raises(UsageError, match="crop differs"):
        simulate(replace(job, crop=None), resume=True)
    with pytest.raises(UsageError, match="no crop was published"):
        make_job(scans, versions, source=clean, out=out, crop="published")
    large = make_job(scans, versions, source=clean, out=tmp_path / "large", crop=(99, 9, 9))
    (failed,) = simulate(large).failed
    assert "99 x 9 x 9 does not fit" in failed.why


@pytest.mark.parametrize(
    ("dataset", "contrast", "shape"),
    [
        ("oasis", "T1w", (256, 256, 128)),
        ("nfbs", "T1w", (193, 229, 193)),
        ("ixi", "T1w", (256, 256, 130)),
        ("ixi", "T2w", (256, 256, 120)),
        ("qtab", "T1w", (176, 300, 320)),
        ("qtab", "T2w", (768, 768, 50)),
        ("arc", "T1w", (160, 256, 256)),
        ("arc", "T2w", (160, 256, 256)),
    ],
)
def test_the_eight_published_crops(
    dataset: str, contrast: str, shape: tuple[int, int, int], tmp_path: Path
) -> None:
    scan = Scan("one", tmp_path / "in" / "scan.nii.gz", contrast, None, dataset)
    versions = benchmark_versions("hsfnet-2025", ["noise"], [1])
    job = make_job([scan], versions, source=tmp_path / "in", out=tmp_path / "out", crop="published")
    assert job.crop_of(job.scans[0]) == shape
    assert job.identity["crop"] == "published"


def test_an_image_is_what_its_names_say(clean: Path, undisturbed: Path) -> None:
    (image,) = [
        image
        for image in read_benchmark(undisturbed)
        if (image.person, image.session, image.artifact) == ("sub-00", "ses-2", "noise")
    ]
    (scan,) = [
        s for s in find_sources(clean).scans if (s.person, s.session) == ("sub-00", image.session)
    ]
    truth, written = iso.read(scan.path), iso.read(image.path)
    (version, *_) = benchmark_versions("physical", ["noise"], [3])
    name = scan_name(scan)
    by_hand = make_version(truth, version, person="sub-00", scan_name=name, seed=7)
    step = (by_hand.data.max() - by_hand.data.min()) / 65534
    torch.testing.assert_close(written.data, by_hand.data, rtol=0, atol=0.51 * float(step))
    np.testing.assert_allclose(written.affine, truth.affine, atol=1e-5)
    assert image.params == by_hand.history[-1].params
    record = json.loads(image.path.with_name("noise_3.json").read_text())
    steps = [Step(step["name"], step["params"], step["seed"]) for step in record["history"]]
    torch.testing.assert_close(iso.replay(truth, steps).data, by_hand.data, rtol=1e-5, atol=1e-2)


def test_the_bytes_do_not_depend_on_the_number_of_workers(
    clean: Path, undisturbed: Path, tmp_path: Path
) -> None:
    simulate(small_job(clean, tmp_path / "bench"), workers=2)
    assert tree(tmp_path / "bench") == tree(undisturbed)


def test_the_bytes_do_not_depend_on_the_order_of_the_scans(
    clean: Path, undisturbed: Path, tmp_path: Path
) -> None:
    job = small_job(clean, tmp_path / "bench")
    scans = find_sources(clean).scans[::-1]
    turned = make_job(scans, job.versions, source=clean, out=job.out, seed=7)
    assert turned == job
    simulate(turned)
    assert tree(job.out) == tree(undisturbed)


def test_a_person_is_on_one_side(clean: Path, tmp_path: Path) -> None:
    rows = read_benchmark_of(write_scans(tmp_path / "many", n_people=10), tmp_path / "bench")
    sides = {row["person"]: row["split"] for row in rows}
    assert {(row["person"], row["split"]) for row in rows} == set(sides.items())
    assert Counter(sides.values()) == {"train": 6, "validation": 2, "test": 2}


def read_benchmark_of(source: Path, out: Path) -> list[dict[str, str]]:
    simulate(small_job(source, out, n_images=12))
    with open(out / "labels.tsv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_dictionary_names_every_column(undisturbed: Path) -> None:
    dictionary = json.loads((undisturbed / "labels.json").read_text())
    head = (undisturbed / "labels.tsv").read_text().splitlines()[0].split("\t")
    assert list(dictionary["columns"]) == head == list(COLUMNS)
    assert dictionary["seed"] == 7


def test_what_is_missing_or_half_is_made_again(
    clean: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    simulate(small_job(clean, out))
    images = [image.path for image in read_benchmark(out)]
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:-5])
    images[2].with_name("pristine.json").write_text('{"isocenter_simulate": 1, "by')
    images[3].with_name("noise_3.json").unlink()
    (images[4].parent / ".0123456789ab.77.tmp").write_bytes(b"left by a killed process")
    (out / "labels.tsv").unlink()
    untouched = images[7].stat().st_mtime_ns
    simulated = simulate(small_job(clean, out), resume=True)
    assert (simulated.n_kept, simulated.n_made) == (8, 4)
    assert images[7].stat().st_mtime_ns == untouched
    assert tree(out) == tree(undisturbed)
    assert not list(out.rglob(".*"))


def test_verifying_finds_what_has_changed_at_the_same_size(
    clean: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    simulate(small_job(clean, out))
    image = read_benchmark(out)[5].path
    image.write_bytes(image.read_bytes()[:-1] + b"\x77")
    assert simulate(small_job(clean, out), resume=True).n_made == 0
    assert simulate(small_job(clean, out), resume=True, verify=True).n_made == 1
    assert tree(out) == tree(undisturbed)


def test_a_folder_that_is_not_this_jobs_own_is_refused(clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench"
    simulate(small_job(clean, out))
    before = tree(out)
    with pytest.raises(UsageError, match=r"12 of the 12 images.*add --resume"):
        simulate(small_job(clean, out))
    for changes, words in (
        ({"seed": 8}, r"another job, whose seed differs \(7, not 8\)"),
        ({"storage": "float32"}, "storage differs"),
        ({"n_images": 5}, "number of images"),
    ):
        with pytest.raises(UsageError, match=words):
            simulate(small_job(clean, out, **changes), resume=True)
    assert tree(out) == before
    foreign = tmp_path / "thesis"
    foreign.mkdir()
    (foreign / "chapter.tex").write_text("")
    with pytest.raises(UsageError, match=r"chapter\.tex, which is no part of a benchmark"):
        simulate(small_job(clean, foreign), resume=True)
    assert tree(foreign) == {"chapter.tex": b""}


def test_a_scan_that_was_replaced_is_another_job(tmp_path: Path) -> None:
    source = write_scans(tmp_path / "clean", n_people=1)
    simulate(small_job(source, tmp_path / "bench"))
    write(made_scan(99), find_sources(source).scans[0].path)
    with pytest.raises(UsageError, match="list of scans differs"):
        simulate(small_job(source, tmp_path / "bench"), resume=True)


@pytest.mark.parametrize("place", [".", "bench", "sub-00/../sub-00/bench"])
def test_results_do_not_go_among_the_scans(clean: Path, place: str) -> None:
    with pytest.raises(UsageError, match="lies where the scans are"):
        small_job(clean, clean / place)


def test_a_link_does_not_hide_where_results_go(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(clean)
    with pytest.raises(UsageError, match="lies where the scans are"):
        small_job(clean, tmp_path / "link" / "bench")


def test_shards_are_disjoint_complete_and_joined_by_the_last(
    clean: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    jobs = [small_job(clean, out, shard=(part, 3)) for part in (1, 2, 3)]
    files = [unit.file for job in jobs for unit in job.own_units]
    assert sorted(files) == sorted(unit.file for unit in small_job(clean, out).units)
    assert len(set(files)) == len(files)
    wholes = [simulate(job).whole for job in (jobs[2], jobs[0], jobs[1])]
    assert wholes == [False, False, True]
    parts = [out / f"shards/{part}-of-3.tsv" for part in (1, 2, 3)]
    rows = [row for part in parts for row in part.read_text().splitlines()[1:]]
    assert sorted(rows) == sorted((out / "labels.tsv").read_text().splitlines()[1:])
    joined = {name: content for name, content in tree(out).items() if "shards" not in name}
    assert joined == tree(undisturbed)
    with pytest.raises(UsageError, match="--resume"):
        simulate(jobs[0])
    assert simulate(small_job(clean, out), resume=True).n_made == 0


@pytest.mark.parametrize("shard", [(0, 2), (3, 2), (1, 0)])
def test_a_shard_that_cannot_be_is_refused(clean: Path, tmp_path: Path, shard: object) -> None:
    with pytest.raises(UsageError, match="give a part from 1"):
        small_job(clean, tmp_path / "bench", shard=shard)


@pytest.mark.parametrize(("n_scans", "n_levels"), [(4, 3), (6, 4), (5, 4), (7, 2), (12, 3)])
def test_a_number_of_images_is_spread_evenly(n_scans: int, n_levels: int) -> None:
    scans = [Scan(f"p{i}", Path(f"/in/p{i}.nii"), None, None, "plain") for i in range(n_scans)]
    versions = benchmark_versions("physical", ["noise"], range(1, n_levels + 1))
    places = {"source": Path("/in"), "out": Path("/out")}
    everything = make_job(scans, versions, **places).units  # type: ignore[arg-type]
    for n_images in range(1, len(everything) + 1):
        job = make_job(scans, versions, n_images=n_images, **places)  # type: ignore[arg-type]
        assert len(job.units) == n_images
        assert [unit for unit in everything if unit in job.units] == list(job.units)
        for key in ("source", "version"):
            counts = Counter(getattr(unit, key) for unit in job.units)
            most = n_scans if key == "source" else len(versions)
            least = min(counts.values()) if len(counts) == most else 0
            assert max(counts.values()) - least <= 1
    with pytest.raises(UsageError, match=f"from 1 to {len(everything)}"):
        make_job(scans, versions, n_images=len(everything) + 1, **places)  # type: ignore[arg-type]


def test_scans_of_one_stem_keep_their_endings() -> None:
    names = ("a/T1.nii", "a/T1.mgz", "b/T1.nii.gz")
    scans = [Scan("p", Path("/in") / name, None, None, "plain") for name in names]
    versions = benchmark_versions("physical", ["noise"], [1])
    job = make_job(scans, versions, source=Path("/in"), out=Path("/out"))
    assert [unit.file for unit in job.units if unit.version.level] == [
        "images/a/T1.mgz/noise_1.nii.gz",
        "images/a/T1.nii/noise_1.nii.gz",
        "images/b/T1/noise_1.nii.gz",
    ]
    clash = [Scan("p", Path("/in") / name, None, None, "plain") for name in ("A.nii", "a.nii")]
    with pytest.raises(UsageError, match="one folder on many disks"):
        _ = make_job(clash, versions, source=Path("/in"), out=Path("/out")).units


def test_a_scan_that_cannot_be_read_is_told_once_and_the_rest_is_done(
    undisturbed: Path, tmp_path: Path
) -> None:
    source = write_scans(tmp_path / "clean")
    bad = source / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    told = []
    versions = benchmark_versions("physical", ["noise", "bias"])
    job = make_job(find_sources(source).scans, versions, source=source, out=tmp_path / "bench")
    simulated = simulate(job, on_batch=lambda n, new: told.extend(new))
    assert [(one.source, one.n_images, one.code) for one in simulated.failed] == [(bad, 9, 3)]
    assert len(told) == 1
    assert simulated.n_made == 27
    assert {image.person for image in read_benchmark(tmp_path / "bench")} == {"sub-00", "sub-02"}


def test_broken_files_of_a_data_set_are_named(tmp_path: Path) -> None:
    source = write_scans(tmp_path / "clean", n_people=2)
    empty = source / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    empty.write_bytes(b"")
    found = find_sources(source)
    assert [path for path, _ in found.broken] == [empty]
    assert "empty" in found.broken[0][1]
    assert {scan.person for scan in found.scans} == {"sub-00"}


def test_one_scan_can_be_the_source(clean: Path, tmp_path: Path) -> None:
    file = clean / "sub-02/ses-1/anat/sub-02_ses-1_T1w.nii.gz"
    (scan,) = find_sources(file).scans
    assert (scan.person, scan.session) == ("sub-02", "ses-1")
    job = small_job(file, tmp_path / "bench")
    assert simulate(job).n_made == 3
    assert {image.source for image in read_benchmark(job.out)} == {file.name}


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="no such file"):
        find_sources(tmp_path / "nowhere")


def test_a_place_that_cannot_be_written_to_stops_everything(clean: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot make"):
        simulate(small_job(clean, tmp_path / "file" / "bench"))
    out = tmp_path / "bench"
    (out / "images").mkdir(parents=True)
    (out / "images" / "sub-00").write_text("in the way")
    with pytest.raises(ResourceError, match="cannot make"):
        simulate(small_job(clean, out))


def test_storage_keeps_what_scanners_keep() -> None:
    image = made_scan(1).data
    loss = int16_loss(image)
    assert loss is not None
    assert loss < LARGEST_LOSS / 10
    spiked = image.clone()
    spiked[0, 0, 0] = 100 * float(image.max())
    coarse = int16_loss(spiked)
    assert coarse is not None
    assert coarse > LARGEST_LOSS
    assert int16_loss(torch.zeros(4, 4, 4)) is None


def test_the_loss_is_that_of_the_file(tmp_path: Path) -> None:
    scan = made_scan(2)
    loss = int16_loss(scan.data)
    back = iso.read(write(scan, tmp_path / "scan.nii.gz", dtype="int16"))
    low, high = np.percentile(scan.data.numpy(), (1, 99))
    error = float((back.data - scan.data).abs().max()) / (high - low)
    assert loss == pytest.approx(error, rel=0.02)


def test_an_image_with_a_few_huge_voxels_is_stored_whole(tmp_path: Path) -> None:
    scan = made_scan(3)
    scan.data[1, 1, 1] = 1e6
    (tmp_path / "clean").mkdir()
    file = write(scan, tmp_path / "clean" / "odd_T1w.nii.gz")
    job = small_job(file, tmp_path / "bench")
    simulate(job)
    with open(job.out / "labels.tsv", newline="", encoding="utf-8") as table:
        rows = {row["artifact"]: row for row in csv.DictReader(table, delimiter="\t")}
    assert rows[PRISTINE]["storage"] == "float32"
    assert float(rows[PRISTINE]["storage_loss"]) == 0
    assert torch.equal(iso.read(job.out / rows[PRISTINE]["file"]).data, iso.read(file).data)


def test_an_estimate_counts_and_leaves_nothing(clean: Path, tmp_path: Path) -> None:
    job = small_job(clean, tmp_path / "bench", n_images=10)
    guess = estimate(job)
    assert guess.n_images == 10
    assert guess.seconds > 0
    assert not job.out.exists()
    simulate(job)
    size = sum(len(content) for name, content in tree(job.out).items() if "images/" in name)
    assert guess.n_bytes == pytest.approx(size, rel=0.3)
    assert estimate(job).n_images == 0


def test_an_estimate_needs_one_scan(tmp_path: Path) -> None:
    source = write_scans(tmp_path / "clean", n_people=1)
    for scan in find_sources(source).scans:
        scan.path.write_bytes(b"no scan at all, whatever its name says")
    with pytest.raises(InputError, match="no scan can be read"):
        estimate(small_job(source, tmp_path / "bench"))


def test_a_cluster_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtra, match=r"isocenter\[cluster\]"):
        next(run_on_cluster(str, [1], address="tcp://127.0.0.1:1", on_death=str))


def test_a_table_of_something_else_is_refused(undisturbed: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match=r"no labels\.tsv"):
        read_benchmark(tmp_path)
    (tmp_path / "labels.tsv").write_text("image\tmos\n1\t2\n")
    with pytest.raises(InputError, match="other columns"):
        read_benchmark(tmp_path)


def test_the_name_of_a_scan_is_its_own() -> None:
    scan = Scan("p", Path("/a/b/T1.nii.gz"), "T1w", None, "plain")
    assert scan_name(scan) == "/T1"
    assert scan_name(replace(scan, path=Path("/elsewhere/T1.nii"))) == "/T1"
    assert scan_name(replace(scan, session="2")) == "2/T1"
