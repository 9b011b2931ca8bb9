"""The stand-in tells the truth: its images, its observers, and the order that it implies."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import isocenter as iso
from isocenter.data.phantom import head_phantom
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets.rad_iqmri import RatedSet, read_grey
from isocenter.errors import UsageError
from isocenter.metrics.gmsd import gmsd
from isocenter.statistics import plcc, srocc
from isocenter.study.observers import Panel, mean_opinion, simulate_ratings
from isocenter.study.rated_standin import fullest_slice, make_standin


def references(n: int = 8) -> dict[str, Volume]:
    return {f"head-{i}": head_phantom((40 + 2 * i, 48, 5), 4.0) for i in range(n)}


def checked(rated: RatedSet, folder: Path, n_references: int) -> None:
    """What holds of every stand-in."""
    truth = json.loads((folder / "truth.json").read_text())
    mos = [row.mos for row in rated.rows]
    assert len(rated.rows) == 14 * n_references
    assert len(rated.references) == n_references
    assert {row.tags["artifact"] for row in rated.rows} == {
        "coloured_noise", "edge_ghosting", "ghosting", "white_noise",
    }  # fmt: skip
    assert {row.tags["energy"] for row in rated.rows} == {"low", "high"}
    assert all(0 <= row.mos <= 100 and row.n_raters == 12 for row in rated.rows)
    assert [o["counted"] for o in truth["observers"]] == [True] * 12 + [False]
    quality = [truth["images"][row.image.name]["quality"] for row in rated.rows]
    assert srocc(mos, quality) > 0.97
    ranks = [srocc(values, mos) for values in truth["rulers"].values()]
    assert ranks[0] == pytest.approx(srocc(mos, quality))
    assert all(better > worse for better, worse in pairwise(ranks)), ranks


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[RatedSet, Path]:
    folder = tmp_path_factory.mktemp("standin")
    return make_standin(references(), folder, rng=generator(1)), folder


def test_it_has_the_numbers_of_the_study_and_an_order_to_recover(
    made: tuple[RatedSet, Path],
) -> None:
    checked(*made, n_references=8)


def test_quality_is_a_rising_function_of_the_measure_of_the_written_images(
    made: tuple[RatedSet, Path],
) -> None:
    rated, folder = made
    images = json.loads((folder / "truth.json").read_text())["images"]
    row = rated.rows[17]
    image, reference = (read_grey(path)[None, None] for path in (row.image, row.reference))
    value = gmsd(image, reference, data_range=float(reference.max()))
    assert float(value) == pytest.approx(images[row.image.name]["gmsd"], rel=1e-4)
    by_measure = sorted(images.values(), key=lambda image: image["gmsd"])
    assert all(a["quality"] >= b["quality"] for a, b in pairwise(by_measure))


def test_an_image_can_be_made_again_from_the_truth(made: tuple[RatedSet, Path]) -> None:
    from isocenter import registry

    rated, folder = made
    row = rated.rows[3]
    params = json.loads((folder / "truth.json").read_text())["images"][row.image.name]["params"]
    scan = fullest_slice(references()["head-0"])
    worse = registry.artifacts.get(row.tags["artifact"]).apply(scan, params)
    shown = worse[:, :, 0].numpy().T[::-1, ::-1]
    stored = read_grey(row.image).numpy()
    factor = stored.max() / shown.max()
    np.testing.assert_allclose(stored, shown * factor, atol=2)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    one = references(2)
    for folder, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_standin(one, tmp_path / folder, rng=generator(seed), n_distorted=9)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 2 * 10 + 2
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert (tmp_path / "a/ratings.csv").read_bytes() != (tmp_path / "c/ratings.csv").read_bytes()
    with Image.open(tmp_path / "a/images/head-0.png") as picture:
        assert picture.mode.startswith("I;16")


def test_another_measure_comes_first_when_it_is_the_truth(tmp_path: Path) -> None:
    rated = make_standin(references(3), tmp_path, rng=generator(2), measure="psnr")
    images = json.loads((tmp_path / "truth.json").read_text())["images"]
    psnr = [images[row.image.name]["psnr"] for row in rated.rows]
    # Equal energies leave nearly equal values, whose order the observers' noise decides.
    assert plcc(psnr, [row.mos for row in rated.rows]) > 0.97


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"levels": (2, 2)}, "a low and a higher one"),
        ({"levels": (0, 2)}, "a low and a higher one"),
        ({"n_distorted": 7}, "give 8 or more"),
    ],
)
def test_what_makes_no_study_is_refused(
    tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make_standin(references(1), tmp_path, rng=generator(0), **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="use letters"):
        make_standin({"../x": references(1)["head-0"]}, tmp_path, rng=generator(0))


def test_opinions_forget_offset_and_gain_and_leave_out_who_disagrees() -> None:
    latent = np.linspace(5, 95, 40)
    exact = Panel(n_observers=6, n_careless=0, noise=0, offset=1, gain=0.02)
    opinion = mean_opinion(simulate_ratings(latent, exact, rng=generator(1))[0])
    assert opinion.counted.all()
    assert opinion.deviation.max() < 0.5
    assert np.corrcoef(opinion.mos, latent)[0, 1] > 0.9999
    against = np.stack([latent, latent + 1, 2 * latent, latent[::-1], np.full(40, 3.0)])
    assert mean_opinion(against).counted.tolist() == [True, True, True, False, False]
    with pytest.raises(UsageError, match="3 must pay attention"):
        Panel(n_observers=3, n_careless=1)


def test_the_fullest_slice_keeps_its_place() -> None:
    data = torch.zeros(6, 7, 4)
    data[:, :, 2] = 1
    scan = Volume(data, np.diag([1.0, 1.0, 5.0, 1.0]))
    one = fullest_slice(scan)
    assert one.shape == (6, 7, 1)
    np.testing.assert_allclose(one.affine[:3, 3], [0, 0, 10])
    assert fullest_slice(one) is one


@pytest.mark.data
@pytest.mark.slow
def test_a_standin_of_real_slices(data_root: Path, tmp_path: Path) -> None:
    files = {
        "brain": "brains/sub-01_T1w.nii.gz",
        "spine": "spine/t2s_t2s_uncropped.nii.gz",
        "abdomen": "formats/abdomen_single.dcm",
        "shoulder": "formats/shoulder_single.dcm",
        "ms": "ms/patient-03_visit-1_FLAIR.nii.gz",
        "lesions": "ms/mni_patient-07_T2.nii.gz",
        "glioma": "heads/glioma_T1c.nii.gz",
    }
    scans = {name: iso.read(data_root / file) for name, file in files.items()}
    scans["lowfield"] = low_field(data_root)
    checked(make_standin(scans, tmp_path, rng=generator(1)), tmp_path, n_references=8)


def low_field(data_root: Path) -> Volume:
    import scipy.io

    file = data_root / "lowfield/6A/0.055T_FSE_kspace_postEMI.mat"
    kspace = torch.from_numpy(scipy.io.loadmat(file)["kspace"])
    image = torch.fft.fftshift(torch.fft.ifft2(kspace, dim=(0, 1)), dim=(0, 1)).abs()
    return Volume(image.float().contiguous(), np.diag([2.0, 2.0, 10.0, 1.0]))
