"""The benchmark without files is the one with files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import isocenter as iso
from isocenter.artifacts import PRISTINE, benchmark_versions
from isocenter.data.volume import Volume
from isocenter.datasets.benchmark import read_benchmark
from isocenter.study.simulate import make_job, simulate
from isocenter.study.sources import find_sources
from isocenter.training.inputs.benchmark import BenchmarkSet, Simulator
from tests.unit.study.scans import write_scans

SEED = 3
VERSIONS = benchmark_versions("physical", ["noise", "motion"], [2])


def voxels(image: Volume) -> Tensor:
    return image.data


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scans(tmp_path_factory.mktemp("clean"), n_people=2)


def drawn(clean: Path, n_kept: int = 2) -> BenchmarkSet[Tensor]:
    simulator = Simulator(n_kept=n_kept)
    return BenchmarkSet(find_sources(clean).scans, VERSIONS, SEED, voxels, simulator=simulator)


def test_items_equal_the_written_images_to_the_storages_rounding(
    clean: Path, tmp_path: Path
) -> None:
    scans = find_sources(clean).scans
    simulate(make_job(scans, VERSIONS, source=clean, out=tmp_path / "bench", seed=SEED))
    images = read_benchmark(tmp_path / "bench")
    items = drawn(clean)
    assert len(items) == len(images) == 9
    for (data, label, person), image in zip(items, images, strict=True):
        assert person == image.person
        version = VERSIONS[label]
        assert (version.artifact, version.level) == (image.artifact, image.level)
        step = float(data.max() - data.min()) / 65534
        # The last digits of sums differ with the number of threads, hence a little more than half.
        torch.testing.assert_close(iso.read(image.path).data, data, rtol=1e-5, atol=0.55 * step)


def test_order_workers_and_what_is_kept_change_nothing(clean: Path) -> None:
    items = drawn(clean)
    straight = [items[i] for i in range(len(items))]
    turned = [drawn(clean, n_kept=1)[i] for i in reversed(range(len(items)))][::-1]
    fetched = DataLoader(items, batch_size=None, num_workers=1, multiprocessing_context="fork")
    for other in (turned, list(fetched)):
        assert [tuple(item[1:]) for item in other] == [item[1:] for item in straight]
        for one, two in zip(other, straight, strict=True):
            torch.testing.assert_close(one[0], two[0], rtol=1e-5, atol=1e-3)


def test_no_more_scans_stay_in_memory_than_asked_for(clean: Path) -> None:
    items = drawn(clean, n_kept=1)
    for i in range(len(items)):
        _ = items[i]
        assert len(items.simulator._kept) == 1


def test_ends(clean: Path) -> None:
    items = drawn(clean)
    assert items[-1][1:] == (VERSIONS.index(VERSIONS[-1]), "sub-01")
    assert VERSIONS[-1].artifact == PRISTINE
    for index in (len(items), -len(items) - 1):
        with pytest.raises(IndexError):
            _ = items[index]
