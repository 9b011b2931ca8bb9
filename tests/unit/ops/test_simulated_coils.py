"""Simulated coils: the field of a wire summed piece by piece, smoothness, and scale."""

import numpy as np
import pytest
import torch

from isocenter.data.random import child, generator
from isocenter.errors import UsageError
from isocenter.ops.simulated_coils import (
    Loops,
    biot_savart_maps,
    birdcage_maps,
    head_array,
    loop_fields,
    loop_maps,
)

HALF = np.array([70.0, 90.0, 80.0])


def brain_positions(n_slices: int = 3, n_rows: int = 45, n_columns: int = 35) -> np.ndarray:
    """World positions (slice, y, x, 3) over the box of a brain."""
    x, y = (np.linspace(-h, h, n) for h, n in zip(HALF[:2], (n_columns, n_rows), strict=True))
    z = np.linspace(-HALF[2], HALF[2], n_slices) if n_slices > 1 else np.zeros(1)
    grid = np.broadcast_arrays(x, y[:, None], z[:, None, None])
    return np.stack(grid, -1)


def summed_field(loops: Loops, point: np.ndarray, n_pieces: int = 4000) -> np.ndarray:
    """Biot-Savart, piece by piece along each wire, for mu_0 I / pi = 1."""
    fields = []
    turns = np.linspace(0, 2 * np.pi, n_pieces, endpoint=False)
    for centre, normal, radius in zip(loops.centres, loops.normals, loops.radii, strict=True):
        _, first, second = np.linalg.svd(normal[None])[2]
        if np.dot(np.cross(first, second), normal) < 0:
            second = -second
        outward = np.cos(turns)[:, None] * first + np.sin(turns)[:, None] * second
        along = -np.sin(turns)[:, None] * first + np.cos(turns)[:, None] * second
        to_point = point - (centre + radius * outward)
        distance = np.linalg.norm(to_point, axis=1, keepdims=True)
        pieces = np.cross(radius * along * 2 * np.pi / n_pieces, to_point) / distance**3
        fields.append(pieces.sum(0) / 4)
    return np.array(fields)


def test_the_field_of_a_loop_is_that_of_its_pieces() -> None:
    loops = head_array(5, np.array([3.0, -2.0, 10.0]), HALF, rng=generator(1))
    points = np.random.default_rng(0).uniform(-60, 60, (20, 3))
    found = loop_fields(loops, points)
    for place, point in enumerate(points):
        field = summed_field(loops, point)
        expected = field[:, 0] - 1j * field[:, 1]
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-6, atol=1e-9)


def test_on_the_axis_the_field_is_the_textbooks() -> None:
    loops = Loops(np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0]]), np.array([40.0]))
    x = np.array([0.0, 10.0, 55.0, 300.0])
    found = loop_fields(loops, np.stack([x, 0 * x, 0 * x], 1))[0]
    # mu_0 I a^2 / 2 (a^2 + x^2)^(3/2)
    np.testing.assert_allclose(found.real, np.pi / 2 * 1600 / (1600 + x**2) ** 1.5, rtol=1e-9)
    np.testing.assert_allclose(found.imag, 0, atol=1e-12)


def test_near_a_wire_the_field_stays_finite() -> None:
    loops = Loops(np.zeros((1, 3)), np.array([[1.0, 0.0, 0.0]]), np.array([40.0]))
    assert np.isfinite(loop_fields(loops, np.array([[0.0, 40.0, 0.0], [0.0, 0.0, -40.0]]))).all()


@pytest.mark.parametrize("n_coils", [1, 4, 8, 9, 16, 17, 32])
def test_maps_of_any_number_of_loops_sum_to_one(n_coils: int) -> None:
    maps = biot_savart_maps(n_coils, brain_positions(2, 9, 7), rng=generator(2))
    assert maps.shape == (2, 1, n_coils, 9, 7)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(maps.abs().square().sum(2), torch.ones(2, 1, 9, 7))


def test_nothing_is_seen_outside_of_the_support() -> None:
    support = torch.zeros(3, 45, 35, dtype=torch.bool)
    support[:, 10:30, 5:25] = True
    for maps in (
        biot_savart_maps(6, brain_positions(), rng=generator(2), support=support),
        birdcage_maps(6, (45, 35), support=support[:1]),
    ):
        total = maps.abs().square().sum(2)[:, 0]
        torch.testing.assert_close(total, support[: len(total)].float())


def test_maps_are_smooth_over_the_head() -> None:
    positions = brain_positions(3, 91, 71)
    maps = biot_savart_maps(8, positions, rng=generator(4))[:, 0]
    radius = np.linalg.norm(positions / HALF, axis=-1)
    head = torch.from_numpy(radius < 0.9)[:, None]
    fading = torch.from_numpy(np.cos(np.pi / 2 * radius.clip(0, 1)) ** 2)[:, None]
    for axis in (-2, -1):
        steps = maps.diff(dim=axis).abs()
        inside = head.narrow(axis, 1, maps.shape[axis] - 1)
        # Pixels of 2 mm, sensitivities that change over centimetres.
        assert float((steps * inside).max()) < 0.1
    low = torch.fft.fftshift(torch.fft.fft2(maps * fading), dim=(-2, -1)).abs().square()
    centre = low[..., 45 - 8 : 45 + 9, 35 - 8 : 35 + 9].sum()
    assert float(centre / low.sum()) > 0.999


def test_every_loop_sees_its_own_side_best() -> None:
    positions = brain_positions(1)
    loops = head_array(8, np.zeros(3), HALF, rng=generator(5))
    maps = loop_maps(loops, positions)[0, 0].abs()
    for coil, centre in enumerate(loops.centres):
        nearest = np.linalg.norm(positions[0] - centre, axis=-1)
        near, far = torch.from_numpy(nearest < 70), torch.from_numpy(nearest > 160)
        assert float(maps[coil][near].mean()) > 3 * float(maps[coil][far].mean())


def test_loops_lie_around_the_head_and_face_it() -> None:
    for n_coils in (4, 8, 16, 32):
        middle = np.array([5.0, 6.0, 7.0])
        loops = head_array(n_coils, middle, HALF, rng=generator(n_coils))
        outward = loops.centres - middle
        assert (np.linalg.norm((outward / HALF)[:, :2], axis=1) > 1.05).all()
        assert ((outward * loops.normals).sum(1) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(loops.normals, axis=1), 1)


def test_coils_are_told_apart() -> None:
    maps = biot_savart_maps(8, brain_positions(), rng=generator(1))[:, 0].transpose(0, 1).flatten(1)
    spectrum = torch.linalg.svdvals(maps)
    assert float(spectrum[3] / spectrum[0]) > 0.1


def test_the_seed_decides_where_the_loops_are() -> None:
    first, again, other = (head_array(8, np.zeros(3), HALF, rng=generator(s)) for s in (1, 1, 2))
    assert np.array_equal(first.centres, again.centres)
    assert not np.allclose(first.centres, other.centres)
    still = [head_array(8, np.zeros(3), HALF, rng=generator(s), jitter=0) for s in (1, 2)]
    assert np.array_equal(still[0].centres, still[1].centres)
    root = generator(3)
    streams = [child(root, name) for name in ("b", "a")]
    late = head_array(8, np.zeros(3), HALF, rng=streams[1])
    early = head_array(8, np.zeros(3), HALF, rng=child(root, "a"))
    assert np.array_equal(late.centres, early.centres)


@pytest.mark.parametrize("shape", [(40, 40), (41, 30)])
def test_a_birdcage_is_turned_from_rod_to_rod(shape: tuple[int, int]) -> None:
    maps = birdcage_maps(4, shape)
    assert maps.shape == (1, 1, 4, *shape)
    torch.testing.assert_close(maps.abs().square().sum(2), torch.ones(1, 1, *shape))
    row, column = (n // 2 for n in shape)
    torch.testing.assert_close(maps[0, 0, :, row, column], maps[0, 0, :1, row, column].expand(4))


def test_no_coil_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 1 coil; got 0"):
        head_array(0, np.zeros(3), HALF, rng=generator(1))
    with pytest.raises(UsageError, match=r"got 4 rods at 0\.9"):
        birdcage_maps(4, (8, 8), distance=0.9)
