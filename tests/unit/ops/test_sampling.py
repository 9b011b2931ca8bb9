"""Masks: the published table, the acceleration that was asked for, where the lines lie."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from isocenter.data.kspace import Mask
from isocenter.data.random import generator
from isocenter.errors import UnknownName, UsageError
from isocenter.ops._kernels_sampling import take_discs
from isocenter.ops.sampling import sampling_mask

# Nominal acceleration, ACS, lines and true acceleration of 320 lines, as published.
PUBLISHED = [
    (4, 16, 92, 3.48),
    (4, 24, 98, 3.27),
    (6, 24, 74, 4.32),
    (8, 18, 56, 5.71),
    (8, 24, 61, 5.25),
    (10, 16, 47, 6.81),
    (10, 18, 49, 6.53),
    (10, 24, 54, 5.93),
    (12, 18, 44, 7.27),
    (12, 22, 47, 6.81),
    (12, 24, 49, 6.53),
    (14, 24, 46, 6.96),
    (16, 24, 43, 7.44),
    (20, 18, 34, 9.41),
]
OF_A_WHOLE_RATE = ("uniform", "random", "gaussian1d", "cartesian")


def lines(kind: str, n: int, acceleration: float, acs: int, seed: int = 1, **more: object) -> list:
    """Indices of the measured columns."""
    mask = sampling_mask(
        kind, (3, n), acceleration=acceleration, acs=acs, rng=generator(seed), **more
    )
    assert torch.equal(mask, mask[:1].expand_as(mask))
    return mask[0].nonzero().flatten().tolist()


@pytest.mark.parametrize(("acceleration", "acs", "n_lines", "true"), PUBLISHED)
def test_the_published_table_is_reproduced(
    acceleration: int, acs: int, n_lines: int, true: float
) -> None:
    shape = (320, 320)
    places = sampling_mask(
        "seed_uniform", shape, acceleration=acceleration, acs=acs, rng=generator(0)
    )
    assert int(places[0].sum()) == n_lines == acs + math.ceil((320 - acs) / acceleration)
    mask = Mask(places[None])
    assert round(mask.true_acceleration, 2) == true
    assert mask.acs[0] == 320
    assert mask.acs[1] >= acs


def test_published_low_frequencies_and_squares_lie_around_the_middle() -> None:
    assert lines("low_frequency", 320, 4, 24) == list(range(148, 172))
    square = sampling_mask("center", (320, 320), acceleration=1, acs=160, rng=generator(0))
    assert Mask(square[None]).true_acceleration == 4
    assert bool(square[80:240, 80:240].all())


@pytest.mark.parametrize("kind", OF_A_WHOLE_RATE)
@pytest.mark.parametrize(("n", "acceleration"), [(320, 4), (320, 6), (213, 4.5), (65, 3), (64, 1)])
def test_the_acceleration_is_right_to_a_line(kind: str, n: int, acceleration: float) -> None:
    assert len(lines(kind, n, acceleration, acs=12)) == round(n / acceleration)


def test_uniform_lines_are_as_even_as_whole_columns_allow() -> None:
    chosen = lines("uniform", 320, 4, acs=0)
    assert set(np.diff(chosen)) == {4}
    gaps = np.diff([column for column in lines("uniform", 300, 4.5, acs=20) if column > 165])
    assert set(gaps) <= {int(gaps.min()), int(gaps.min()) + 1}


def drawn_share(kind: str, acceleration: float, n_masks: int = 150) -> np.ndarray:
    """How often each of 128 columns is measured."""
    masks = [
        sampling_mask(kind, (1, 128), acceleration=acceleration, acs=0, rng=generator(seed))
        for seed in range(n_masks)
    ]
    return torch.cat(masks).double().mean(0).numpy()


def test_gaussian_lines_have_the_published_deviation() -> None:
    # Few lines, so that drawing without replacement hardly widens the distribution.
    share, place = drawn_share("gaussian1d", 32), np.arange(128) - 64
    assert np.sqrt((share * place**2).sum() / share.sum()) == pytest.approx(15, rel=0.08)


def test_cartesian_lines_have_the_published_density() -> None:
    share, place = drawn_share("cartesian", 32), np.arange(128) - 64
    density = np.exp(-0.5 / 12.8**2 * place**2) + 1 / 64
    expected = (4 * density / density.sum()).reshape(8, 16).sum(1)
    assert np.abs(share.reshape(8, 16).sum(1) - expected).max() < 0.15


def test_random_lines_prefer_no_place() -> None:
    share = drawn_share("random", 4)
    assert share.mean() == pytest.approx(0.25)
    assert share.std() < 0.06


def test_gaussian_places_have_the_published_variance() -> None:
    masks = [
        sampling_mask("gaussian2d", (64, 128), acceleration=256, acs=0, rng=generator(seed))
        for seed in range(40)
    ]
    row, column = torch.stack(masks).nonzero().double()[:, 1:].T
    for places, n in ((row, 64), (column, 128)):
        assert float(places.std()) == pytest.approx(n * math.sqrt(1.5 / 128), rel=0.08)
    assert int(masks[0].sum()) == 32


def test_a_chance_for_every_column_is_right_on_average() -> None:
    counts = [len(lines("fastmri_random", 368, 4, acs=29, seed=seed)) for seed in range(100)]
    assert len(set(counts)) > 5
    assert np.mean(counts) == pytest.approx(92, rel=0.03)


def test_equispaced_lines_follow_the_formula() -> None:
    starts = set()
    for seed in range(20):
        chosen = lines("fastmri_equispaced", 368, 4, acs=30, seed=seed)
        start = chosen[0]
        starts.add(start)
        assert set(chosen) == set(range(start, 368, 4)) | set(range(169, 199))
    assert starts == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["fastmri_equispaced_fraction", "magic_fraction"])
@pytest.mark.parametrize(("n", "acceleration", "acs"), [(368, 4, 29), (320, 8, 13), (213, 3, 20)])
def test_fractions_hit_the_overall_rate(kind: str, n: int, acceleration: float, acs: int) -> None:
    counts = [len(lines(kind, n, acceleration, acs, seed=seed)) for seed in range(30)]
    assert np.mean(counts) == pytest.approx(n / acceleration, abs=1)
    assert max(abs(count - n / acceleration) for count in counts) <= 3


@pytest.mark.parametrize("n", [128, 129])
def test_magic_lines_interleave_with_their_mirror_images(n: int) -> None:
    for seed in range(8):
        chosen = np.array(lines("magic", n, 4, acs=0, seed=seed)) - n // 2
        right, left = chosen[chosen >= 0], -chosen[chosen < 0]
        assert set(np.diff(right)) == set(np.diff(left[::-1])) == {4}
        assert (right[0] - left[-1]) % 4 == 2


def test_discs_hold_no_second_place() -> None:
    order = torch.randperm(60 * 70, generator=generator(1)).numpy()
    radius = np.linspace(1.5, 6, 70)[None].repeat(60, 0)
    taken = np.zeros((60, 70), bool)
    assert take_discs(order, radius, 1.0, taken) == taken.sum() > 100
    places = np.argwhere(taken)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    apart[np.diag_indices(len(places))] = np.inf
    own = radius[tuple(places.T)]
    # The earlier of two forbids: none is nearer than the smaller of their discs.
    assert (apart >= np.minimum(own[:, None], own[None])).all()
    # ... and where nothing was taken, something near forbade it.
    free = np.argwhere(~taken)
    reach = np.linalg.norm(free[:, None] - places[None], axis=-1) < own[None]
    assert reach.any(1).all()


@pytest.mark.parametrize("acceleration", [1.5, 2, 4, 8, 12])
def test_poisson_discs_keep_the_acceleration(acceleration: float) -> None:
    mask = sampling_mask("poisson", (161, 120), acceleration=acceleration, acs=16, rng=generator(2))
    assert Mask(mask[None]).true_acceleration == pytest.approx(acceleration, rel=1e-3)
    assert bool(mask[72:88, 52:68].all())


def test_poisson_discs_are_denser_in_the_middle_and_evener_than_chance() -> None:
    mask = sampling_mask("poisson", (160, 160), acceleration=8, acs=0, rng=generator(3))
    blocks = mask.view(5, 32, 5, 32).double().mean((1, 3))
    assert float(blocks[2, 2]) > 2 * float(blocks[0, 0]) > 0
    corner = mask[:40, :40].nonzero().numpy()
    nearest = cKDTree(mask.nonzero().numpy()).query(corner, k=2)[0][:, 1]
    # Of places drawn by chance it is half of the root of the area that each has.
    assert nearest.mean() > 0.7 * np.sqrt(1600 / len(corner))


@pytest.mark.parametrize("acceleration", [2, 4, 8])
def test_spokes_keep_the_acceleration_to_a_spoke(acceleration: float) -> None:
    mask = sampling_mask("radial", (160, 121), acceleration=acceleration, acs=8, rng=generator(1))
    assert abs(int(mask.sum()) - mask.numel() / acceleration) <= 160
    # A spoke passes through the centre, so its mirror image is measured, too, but for rounding.
    mirrored = mask[1:].flip(0, 1)
    assert float((mask[1:] == mirrored).double().mean()) > 0.95


@pytest.mark.parametrize("kind", OF_A_WHOLE_RATE)
def test_columns_that_were_never_acquired_do_not_count(kind: str) -> None:
    chosen = lines(kind, 372, 4, acs=24, acquired=(12, 340))
    assert min(chosen) >= 12
    assert max(chosen) < 340
    assert len(chosen) == round(328 / 4)
    assert set(range(174, 198)) <= set(chosen)


@pytest.mark.parametrize(
    ("kind", "numbers", "words"),
    [
        ("uniform", {"acceleration": 0.5}, "at least 1; got 0.5"),
        ("uniform", {"acceleration": math.nan}, "at least 1; got nan"),
        ("uniform", {"acs": 40}, "leaves 32 columns to measure and the ACS alone has 40"),
        ("poisson", {"acs": 70}, "places to measure and the ACS alone has 4900"),
        ("random", {"acs": 200}, "200 ACS columns do not fit into 128"),
        ("random", {"acs": -1}, "-1 ACS columns do not fit"),
        ("low_frequency", {"acs": 0}, "measures nothing"),
        ("random", {"acquired": (80, 128)}, "columns 80 to 128 cannot have been acquired"),
        ("random", {"shape": (0, 128)}, "k-space of 0 x 128 has no place"),
    ],
)
def test_what_does_not_fit_is_said(kind: str, numbers: dict, words: str) -> None:
    asked = {"shape": (128, 128), "acceleration": 4, "acs": 8} | numbers
    with pytest.raises(UsageError, match=words):
        sampling_mask(kind, rng=generator(0), **asked)


def test_a_kind_that_is_none_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'poisson'"):
        sampling_mask("poison", (8, 8), acceleration=2, acs=1, rng=generator(0))
