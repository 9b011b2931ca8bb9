"""Curves from scores to opinions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import InputError, UsageError
from isocenter.statistics import fit_mapping, logistic4, logistic5
from isocenter.statistics.mapping import _bounds, _slopes

X = np.random.default_rng(0).uniform(0, 1, 112)


def error_of(curve, y: np.ndarray) -> float:
    return float(np.sum((curve(X) - y) ** 2))


@pytest.mark.parametrize("b", [(4.5, 1.2, 0.5, 0.1), (1.2, 4.5, 0.4, 0.08), (5, 1, 0.2, 0.05)])
def test_four_parameters_are_recovered(b: tuple[float, ...]) -> None:
    fit = fit_mapping(X, logistic4(X, *b), kind="logistic4")
    assert fit.kind == "logistic4"
    assert fit.why == ()
    assert fit.parameters == pytest.approx(b, rel=1e-5)
    assert fit.direction == ("rising" if b[0] > b[1] else "falling")


@pytest.mark.parametrize(
    "b", [(2.5, 12, 0.5, 1.3, 2), (-2.5, 12, 0.5, -1.3, 2), (3, 30, 0.3, 0.5, 2)]
)
def test_five_parameters_are_recovered_in_any_unit(b: tuple[float, ...]) -> None:
    y = logistic5(X, *b)
    fit = fit_mapping(1000 * X + 1e5, y)
    assert fit.kind == "logistic5"
    assert fit.parameters[:4] == pytest.approx(
        (b[0], b[1] / 1000, 1000 * b[2] + 1e5, b[3] / 1000), rel=1e-5
    )
    np.testing.assert_allclose(fit(1000 * X + 1e5), y, atol=1e-9)


def test_formulas_by_hand() -> None:
    x = np.array([2.0])
    assert logistic4(x, 5, 1, 1.5, 0.25)[0] == pytest.approx(4 / (1 + math.exp(-2)) + 1)
    expected = 3 * (0.5 - 1 / (1 + math.exp(4 * 0.5))) + 0.1 * 2 + 7
    assert logistic5(x, 3, 4, 1.5, 0.1, 7)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "b"),
    [("logistic4", [1.2, -0.8, 0.3, 0.4]), ("logistic5", [1.2, 2.5, 0.3, 0.4, -0.1])],
)
def test_slopes_are_those_of_finite_differences(kind, b: list[float]) -> None:
    curve = {"logistic4": logistic4, "logistic5": logistic5}[kind]
    slow = scipy.optimize.approx_fprime(np.array(b), lambda p: curve(X, *p))
    np.testing.assert_allclose(_slopes(kind, X, np.array(b)), slow, atol=1e-5)


@pytest.mark.parametrize("noise", [0.05, 0.2, 0.5])
def test_no_search_over_the_same_bounds_finds_a_better_four_parameter_curve(noise: float) -> None:
    """Against differential evolution, which is slow and needs no start."""
    rng = np.random.default_rng(3)
    x, y = X - X.mean(), logistic4(X, 1, 0, 0.5, 0.1) + noise * rng.normal(size=X.size)
    x, y = x / x.std(), (y - y.mean()) / y.std()
    ours = fit_mapping(x, y, kind="logistic4")
    best = scipy.optimize.differential_evolution(
        lambda b: float(np.sum((logistic4(x, *b) - y) ** 2)),
        list(zip(*_bounds("logistic4", x, y), strict=True)),
        rng=np.random.default_rng(0),
        maxiter=150,
        tol=1e-8,
    )
    assert np.sum((ours(x) - y) ** 2) <= best.fun * 1.005


def test_a_curve_beats_the_line_where_the_truth_is_a_curve() -> None:
    y = logistic4(X, 5, 1, 0.5, 0.05) + 0.1 * np.random.default_rng(1).normal(size=X.size)
    errors = [error_of(fit_mapping(X, y, kind=kind), y) for kind in ("logistic4", "linear")]
    assert errors[0] < errors[1] / 3


@given(st.integers(0, 10_000), st.integers(7, 40), st.sampled_from(["logistic5", "logistic4"]))
def test_every_fit_is_monotone_and_says_what_it_is(seed: int, n: int, kind) -> None:
    """Noise, a parabola and ties: whatever comes, the curve never turns."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(size=n), 1)
    y = [rng.normal(size=n), x**2, np.round(x)][seed % 3]
    fit = fit_mapping(x, y, kind=kind)
    steps = np.diff(fit(np.linspace(x.min(), x.max(), 2000)))
    assert (steps >= -1e-7).all() or (steps <= 1e-7).all()
    tried = ["logistic5", "logistic4", "linear"]
    left = tried[tried.index(kind) : tried.index(fit.kind)]
    assert [reason.split(":")[0] for reason in fit.why] == left


@given(st.floats(0.01, 1000), st.floats(-1000, 1000), st.floats(0.01, 100))
def test_units_of_scores_and_opinions_do_not_matter(a: float, b: float, c: float) -> None:
    y = logistic4(X, 5, 1, 0.4, 0.1) + 0.1 * np.sin(40 * X)
    plain, scaled = fit_mapping(X, y), fit_mapping(a * X + b, c * y)
    assert scaled.kind == plain.kind
    np.testing.assert_allclose(scaled(a * X + b) / c, plain(X), atol=2e-3)


def test_a_fit_is_the_same_every_time() -> None:
    y = X + np.random.default_rng(5).normal(size=X.size)
    assert fit_mapping(X, y) == fit_mapping(X, y)


def test_a_parabola_leaves_the_five_parameters() -> None:
    fit = fit_mapping(X, (X - 0.5) ** 2)
    assert fit.kind == "logistic4"
    assert fit.why == ("logistic5: turns within the range of the scores",)


def test_a_falling_measure_gets_a_falling_curve() -> None:
    y = logistic5(X, -2, 15, 0.5, -1, 3)
    fit = fit_mapping(X, y)
    assert fit.direction == "falling"
    np.testing.assert_allclose(fit(X), y, atol=1e-8)


def test_constant_scores_say_nothing() -> None:
    fit = fit_mapping([7.0] * 5, [1, 2, 3, 4, 5])
    assert fit.kind == "linear"
    assert fit.direction == "flat"
    assert fit([7.0, 100.0]).tolist() == [3, 3]
    assert fit.why[0] == "logistic5: 1 different scores for 5 parameters"


def test_constant_opinions_are_a_flat_line() -> None:
    fit = fit_mapping(X, np.full(X.size, 0.1))
    assert fit.kind == "linear"
    assert fit.why == ("logistic5: all opinions are equal", "logistic4: all opinions are equal")
    assert fit(X).tolist() == [0.1] * X.size


def test_two_points_are_a_line_and_one_is_its_own() -> None:
    fit = fit_mapping([1, 2], [3, 5])
    assert fit.kind == "linear"
    assert fit.parameters == pytest.approx((2, 1))
    assert fit_mapping([4], [2.5])([4.0]) == pytest.approx(2.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_very_small_and_very_large_scores_are_mapped(scale: float) -> None:
    y = logistic4(X, 5, 1, 0.4, 0.1)
    np.testing.assert_allclose(fit_mapping(scale * X, y, kind="logistic4")(scale * X), y, atol=1e-6)


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_what_has_no_value_is_refused(bad: float) -> None:
    with pytest.raises(InputError, match="1 of 3 scores are infinite or missing; leave"):
        fit_mapping([1, bad, 3], [1, 2, 3])
    with pytest.raises(InputError, match="opinions"):
        fit_mapping([1, 2, 3], [1, bad, 3])


def test_wrong_calls_are_refused() -> None:
    with pytest.raises(UsageError, match="one length"):
        fit_mapping([1, 2], [1, 2, 3])
    with pytest.raises(UsageError, match="0 images"):
        fit_mapping([], [])
