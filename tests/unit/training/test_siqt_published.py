"""The published protocol of SIQT on made copies of HCP and LEMON, and on a folder of brains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from isocenter.artifacts import SNR_PRIORS
from isocenter.artifacts._snr_prior import published_draws
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.io import write
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets.catalogue import index
from isocenter.errors import NothingFound, UsageError
from isocenter.nets.siqt_published import Config, build
from isocenter.training.judge import evaluate
from isocenter.training.published_pairs import (
    PublishedPatches,
    Ready,
    bright_places,
    high_field,
    prepared,
    simulated_pair,
)
from isocenter.training.published_tiles import enhanced
from isocenter.training.recipes.siqt_published import SiqtPublishedRecipe
from isocenter.training.run import Run, train
from tests.unit.datasets.trees import plant

SHAPE, RATIO = (40, 44, 52), 8
AFFINE = np.diag([0.7, 0.7, 0.7, 1.0])
HCP = SiqtPublishedRecipe(config=Config("sr_unet", RATIO, 2), most=40)
HCP_NAME = "HCP_1200/{}/T1w/{}T1w_acpc_dc_restore{}"


def shells(shape: tuple[int, int, int], sizes: tuple[float, float, float]) -> torch.Tensor:
    """0 outside, 1 grey, 2 white matter, 3 fluid."""
    x, y, z = ((torch.arange(side) + 0.5) / side * 2 - 1 for side in shape)
    radius = (x[:, None, None] ** 2 + y[:, None] ** 2 + z**2).sqrt()
    codes = torch.zeros(shape, dtype=torch.long)
    for code, share in zip((3, 1, 2), sizes, strict=True):
        codes[radius < share] = code
    return codes


def brain(codes: torch.Tensor, table: tuple[float, ...], seed: int) -> torch.Tensor:
    noise = torch.randn(codes.shape, generator=generator(seed))
    return torch.tensor(table)[codes] + 15 * noise * (codes > 0)


def planted(root: Path, name: str, number: int, *, table: tuple[float, ...]) -> None:
    """A brain, a copy without its skull if ``name`` takes one, and maps of SPM."""
    codes = shells(SHAPE, (0.98 - 0.02 * number, 0.9, 0.6))
    data = brain(codes, table, number)
    file = root / name.format("", "")
    file.parent.mkdir(parents=True)
    skull = 400.0 * (shells(SHAPE, (1.2, 0.98, 0.98)) == 3)
    write(Volume(data + skull, AFFINE), file.with_name(file.name + ".nii.gz"))
    if "HCP" in name:
        write(Volume(data, AFFINE), root / (name.format("", "_brain") + ".nii.gz"))
    for code, prefix in enumerate(("c1", "c2", "c3"), 1):
        write(Volume((codes == code).float(), AFFINE), root / (name.format(prefix, "") + ".nii"))


@pytest.fixture(scope="module")
def hcp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hcp")
    for number in range(4):
        name = HCP_NAME.format(100206 + number, "{}", "{}")
        planted(root, name, number, table=(0.0, 600.0, 900.0, 250.0))
    return root


@pytest.fixture(scope="module")
def ready(hcp: Path, tmp_path_factory: pytest.TempPathFactory) -> Ready:
    folder = tmp_path_factory.mktemp("pairs")
    draws, scans = HCP._draws(hcp), HCP._scans(hcp)
    return prepared(
        {person: scans[person] for person in HCP.people(hcp)[:3]},
        lambda scan: HCP._pair(scan, draws=draws),
        folder / "pairs",
        ratio=RATIO,
        learned=HCP.split(hcp)["train"],
        most=40,
        seed=1,
        say=lambda line: None,
    )


def test_sixty_are_learned_from_and_ten_tested_in_the_order_of_names(tmp_path: Path) -> None:
    plant(tmp_path, *(HCP_NAME.format(100000 + i, "", ".nii.gz") for i in range(75)))
    split = HCP.split(tmp_path)
    people = [str(100000 + i) for i in range(75)]
    assert [*split["train"], *split["validation"]] == people[:60]
    assert list(split["test"]) == people[60:70]
    assert len(split["validation"]) == 12


def test_a_small_folder_is_shared_out_alike(hcp: Path, tmp_path: Path) -> None:
    split = HCP.split(hcp)
    assert [len(split[side]) for side in ("train", "validation", "test")] == [2, 1, 1]
    plant(tmp_path, *(HCP_NAME.format(100000 + i, "", ".nii.gz") for i in range(2)))
    with pytest.raises(UsageError, match="has 2 people"):
        HCP.split(tmp_path)
    with pytest.raises(NothingFound, match="no T2w scan"):
        replace(HCP, contrast="T2w").people(hcp)


def test_signal_over_noise_is_drawn_as_published_or_by_name(hcp: Path) -> None:
    people, prior = HCP.people(hcp), SNR_PRIORS["siqt-t1-0.36T"]
    drawn = HCP._draws(hcp)
    assert [drawn[p] for p in people[:3]] == [*map(tuple, published_draws(prior, 60, 300)[:3])]
    assert drawn[people[3]] == tuple(published_draws(prior, 10, 305)[0])
    named = replace(HCP, seed_compat=False)._draws(hcp)
    assert max(prior.distance(*pair) for pair in named.values()) < 3.04
    with pytest.raises(UsageError, match="no signal over noise was published for T2w"):
        replace(HCP, contrast="T2w")._prior()


def test_the_brain_and_the_maps_of_spm_are_taken_from_beside_the_scan(hcp: Path) -> None:
    scan = HCP._scans(hcp)["100206"]
    volume, tissue = high_field(scan)
    assert scan.path.name == "T1w_acpc_dc_restore.nii.gz"
    codes = shells(SHAPE, (0.98, 0.9, 0.6))
    assert torch.equal(tissue.wm, (codes == 2).float())
    assert float(volume.data[codes == 0].abs().max()) == 0


def test_maps_of_the_other_contrast_serve_flair_and_cut_off_the_skull(tmp_path: Path) -> None:
    place = "sub-010002/ses-01/anat/{}sub-010002_ses-01_acq-highres_FLAIR{}"
    planted(tmp_path, place, 0, table=(0.0, 900.0, 600.0, 200.0))
    anat = (tmp_path / place).parent
    for number in (1, 2, 3):
        (own,) = anat.glob(f"c{number}sub*")
        own.rename(anat / f"c{number}T1brain.nii")
    lemon = replace(HCP, source="lemon", contrast="FLAIR")
    (scan,) = lemon._scans(tmp_path).values()
    volume, tissue = high_field(scan)
    outside = tissue.csf + tissue.gm + tissue.wm < 0.5
    assert float(volume.data[outside].abs().max()) == 0
    low, _ = simulated_pair(scan, 4, (40.0, 50.0), lemon._prior(), rng=generator(1))
    grey, white = tissue.gm[..., ::4] > 0.99, tissue.wm[..., ::4] > 0.99
    inner = [float(low[mask].median()) for mask in (grey, white)]
    assert inner[0] / inner[1] == pytest.approx(50 / 40, rel=0.1)


def test_without_files_tissues_are_found(tmp_path: Path) -> None:
    codes = shells((56, 56, 56), (0.96, 0.92, 0.73))
    data = brain(codes, (0.0, 600.0, 900.0, 250.0), 1)
    (tmp_path / "one").mkdir()
    write(Volume(data, np.diag([2.4, 2.4, 2.4, 1.0])), tmp_path / "one" / "T1w.nii.gz")
    plain = replace(HCP, source="plain")
    volume, tissue = high_field(plain._scans(tmp_path)["one"])
    assert float((tissue.wm - (codes == 2).float()).abs().mean()) < 0.01
    assert volume.shape == codes.shape


def test_maps_are_no_scans_of_a_folder_of_brains(hcp: Path, tmp_path: Path) -> None:
    planted(tmp_path, "someone/{}T1w{}", 0, table=(0.0, 600.0, 900.0, 250.0))
    write(Volume(torch.ones(4, 4, 4), AFFINE), tmp_path / "someone" / "T1w_brain.nii.gz")
    plain = replace(HCP, source="plain")
    assert len(index("plain", tmp_path)) == 5
    assert [scan.path.name for scan in plain._scans(tmp_path).values()] == ["T1w.nii.gz"]


def test_thin_slices_end_with_the_thick_ones(hcp: Path) -> None:
    scan = HCP._scans(hcp)["100206"]
    low, high = simulated_pair(scan, 8, (64.5, 54.1), HCP._prior(), rng=generator(1))
    assert low.shape == (40, 44, 6)
    assert high.shape == (40, 44, 48)


def test_patches_that_show_enough_are_kept(ready: Ready) -> None:
    kept = safetensors.torch.load_file(ready.files[0])
    high = kept["high"]
    assert high.shape == tuple(16 * 2 + side for side in (40, 44, 48))
    assert float(high[:16].abs().max()) == 0
    wanted = []
    for x, y, z in np.ndindex(3, 3, 4):
        patch = high[16 * x : 16 * x + 32, 16 * y : 16 * y + 32, 16 * z : 16 * z + 32]
        if int((patch >= high.mean()).sum()) >= 6553.6:
            wanted.append((x, y, z))
    assert [tuple(place) for place in bright_places(high).tolist()] == wanted
    assert len(kept["places"]) == len(wanted) <= 36


def test_an_example_is_a_patch_at_low_and_high_field_by_seed_and_index_alone(
    ready: Ready,
) -> None:
    patches = PublishedPatches(ready.files, RATIO, length=500, seed=3)
    number = 5
    which, row = patches.table[number]
    kept = safetensors.torch.load_file(ready.files[which])
    x, y, z = (16 * kept["places"][row]).tolist()
    example = patches.patch(number)
    assert torch.equal(example.thin[0], kept["high"][x : x + 32, y : y + 32, z : z + 32])
    low = kept["low"][x : x + 32, y : y + 32, z // 8 : z // 8 + 4]
    assert torch.equal(example.thick[0], low)
    there, back = ([patches[i].thin for i in order] for order in ((0, 9), (9, 0)))
    assert torch.equal(there[0], back[1])
    seen = torch.stack([patches[i].thin.sum() for i in range(len(patches.table))])
    assert len(seen.unique()) > 0.9 * len(seen)


def test_brightness_lies_on_scales_and_patches_have_the_spread_that_is_told(ready: Ready) -> None:
    # Two people are learned from: the third one's patches do not count.
    patches = PublishedPatches(ready.files[:2], RATIO, seed=3)
    drawn = [patches.patch(number) for number in range(len(patches))]
    for part, (mean, deviation) in zip(zip(*drawn, strict=True), ready.spreads, strict=True):
        values = torch.stack(part).double()
        assert float(values.mean()) == pytest.approx(mean, rel=1e-5)
        assert float(values.std(correction=0)) == pytest.approx(deviation, rel=1e-5)
        assert float(values.min()) >= 0
    for scale in ready.scales:
        assert scale.landmarks[0] == pytest.approx(1)
        assert scale.landmarks[-1] == pytest.approx(100)
        assert list(scale.landmarks) == sorted(scale.landmarks)


def test_what_is_there_is_not_simulated_again(ready: Ready, hcp: Path) -> None:
    folder = ready.files[0].parent
    assert not list(folder.glob("raw-*"))
    scans = HCP._scans(hcp)
    again = prepared(
        {person: scans[person] for person in HCP.people(hcp)[:3]},
        lambda scan: pytest.fail("simulated"),
        folder,
        ratio=RATIO,
        learned=HCP.split(hcp)["train"],
        most=40,
        seed=1,
    )
    assert again.files == ready.files
    assert again.spreads == ready.spreads


class Repeat(torch.nn.Module):
    """Every thick slice, ``ratio`` times."""

    def __init__(self, ratio: int) -> None:
        super().__init__()
        self.ratio = ratio
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, thick: torch.Tensor) -> torch.Tensor:
        return thick.repeat_interleave(self.ratio, -1)


@pytest.mark.parametrize("tiles", ["published", "blended"])
@pytest.mark.parametrize("shape", [(17, 40, 5), (32, 25, 6), (8, 24, 2), (41, 57, 3)])
def test_tiles_make_every_voxel(tiles: str, shape: tuple[int, int, int]) -> None:
    net = build(Config("espcn", 8))
    net.inner = Repeat(8)
    low = torch.rand(shape, generator=generator(1))
    made = enhanced(net.eval(), low, tiles)  # type: ignore[arg-type]
    assert torch.allclose(made, low.repeat_interleave(8, -1), atol=1e-6)


SETTINGS = (
    "schedule.n_steps=3", "schedule.batch=2", "schedule.validate_every=3", "config.net=sr_unet",
    "config.width=2", "most=12", "n_validation=4",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(hcp: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("run")
    told: list[str] = []
    assert train("siqt_published", hcp, out, settings=SETTINGS, device="cpu", say=told.append)
    return Run.load(out)


def test_a_run_trains_and_its_file_explains_itself(run: Run) -> None:
    checkpoint = Checkpoint.load(run.model)
    assert checkpoint.net == "siqt_published"
    net = build(Config(**checkpoint.config))
    checkpoint.load_into(net)
    low, high = net.scales()
    assert low.landmarks != high.landmarks
    assert float(net.high_spread[1]) > 1
    assert checkpoint.card["protocol"]["people"].startswith("3 learned from")
    assert "0.36 T" in checkpoint.card["protocol"]["signal over noise"]


def test_a_run_is_judged_on_people_it_never_saw(run: Run) -> None:
    told: list[str] = []
    scores = evaluate(run, device="cpu", say=told.append)
    assert scores["people"] == 1
    assert "enhanced PSNR" in told[0]
    assert "cubic PSNR" in told[0]
    assert math.isfinite(scores["methods"][0]["figures"]["RMSE"]["value"])


def test_the_loss_teaches(run: Run, hcp: Path, tmp_path: Path) -> None:
    recipe = replace(HCP, n_validation=2)
    task = recipe.task(hcp, recipe.split(hcp), tmp_path)
    batch = torch.utils.data.default_collate([task.examples[i] for i in range(4)])
    assert task.validate is not None
    with torch.no_grad():
        assert task.validate(task.net)["negative loss"] < 0
    adam = torch.optim.Adam(task.net.parameters(), lr=1e-2)
    losses = []
    for _ in range(25):
        adam.zero_grad()
        loss = task.loss(task.net, batch)
        loss.backward()
        adam.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]
