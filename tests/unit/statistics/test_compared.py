"""A comparison holds what each function alone says, and groups what cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import InputError, UsageError
from isocenter.statistics import (
    Column,
    Missing,
    Rated,
    bootstrap_by_person,
    compare_values,
    krasula_analysis,
    measure_agreement,
    pairs_by_jackknife,
    per_group,
    srocc,
    srocc_interval,
)

N_REFERENCES = 8
REFERENCES = [f"reference {i}" for i in range(N_REFERENCES) for _ in range(14)]


def study(noise: dict[str, float], seed: int = 0) -> tuple[Rated, list[Column]]:
    """Measures with ever more noise; every second one is better when lower."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=112)
    rated = Rated(
        images=tuple(f"image {i}" for i in range(112)),
        references=tuple(REFERENCES),
        opinions=tuple((50 + 10 * y).tolist()),
        deviation=(5.0,) * 112,
        n_raters=(12,) * 112,
        artifacts=("noise", "ghosting") * 56,
    )
    columns = []
    for i, (name, sd) in enumerate(noise.items()):
        values = y + sd * rng.normal(size=112)
        better = ("higher", "lower")[i % 2]
        columns.append(Column(name, better, tuple((values if i % 2 == 0 else -values).tolist())))  # type: ignore[arg-type]
    return rated, columns


NOISE = {"best": 0.1, "twin": 0.1, "fair": 0.7, "poor": 2.0}


def test_it_holds_what_each_function_says() -> None:
    rated, columns = study(NOISE)
    compared = compare_values(rated, columns, rng=np.random.default_rng(1), n_draws=200)
    y = np.array(rated.opinions)
    by_name = {method.column.name: method for method in compared.methods}
    table = np.array([c.values for c in columns]) * [
        [1 if c.better == "higher" else -1] for c in columns
    ]
    pairs = krasula_analysis(list(NOISE), table, y, deviation=[5.0] * 112, n_raters=12)
    for i, column in enumerate(columns):
        method, row = by_name[column.name], table[i]
        alone = measure_agreement(
            np.array(column.values), y, better=column.better, deviation=[5.0] * 112, n_raters=12
        )
        assert method.agreement == alone
        assert method.interval == srocc_interval(alone.srocc, 112)
        drawn = bootstrap_by_person(
            REFERENCES,
            lambda rows, row=row: srocc(row[rows], y[rows]),
            rng=np.random.default_rng(1),
            n_draws=200,
        )
        assert method.interval_by_reference == pytest.approx(drawn)
        within = per_group(REFERENCES, lambda rows, row=row: srocc(row[rows], y[rows]))
        assert method.within == within
        assert set(method.by_artifact.values) == {"noise", "ghosting"}
        assert method.pairs is not None
        assert method.pairs.better_worse == pytest.approx(pairs.better_worse[i])
        assert method.pairs.correct == pytest.approx(pairs.correct[i])
    names = [method.column.name for method in compared.methods]
    rows = [table[list(NOISE).index(name)] for name in names]
    np.testing.assert_array_equal(
        compared.tests.adjusted, pairs_by_jackknife(names, rows, y, REFERENCES).adjusted
    )


def test_equals_share_a_group_and_worse_measures_do_not() -> None:
    compared = compare_values(*study(NOISE), rng=np.random.default_rng(0), n_draws=50)
    letters = {method.column.name: method.letters for method in compared.methods}
    assert list(letters)[2:] == ["fair", "poor"]
    assert letters["best"] == letters["twin"] == ("a",)
    assert set(compared.best) == {"best", "twin"}
    assert letters["fair"] != letters["poor"] != ("a",)
    assert not compared.notes


def test_what_cannot_be_compared_is_named_with_its_reason() -> None:
    rated, columns = study(NOISE)
    broken = (*columns[0].values[:-1], float("inf"))
    columns += [
        Column("broken", "higher", broken),
        Column("constant", "lower", (3.0,) * 112),
    ]
    known = [Missing("absent", "needs weights")]
    compared = compare_values(
        rated, columns, rng=np.random.default_rng(0), missing=known, n_draws=20
    )
    assert {one.name: one.why for one in compared.missing} == {
        "absent": "needs weights",
        "broken": "no finite value on 1 of 112 images, such as image 111",
        "constant": "the same value on every image",
    }
    assert len(compared.methods) == 4


def test_without_deviations_there_are_no_figures_of_pairs() -> None:
    rated, columns = study(NOISE)
    bare = Rated(
        rated.images, rated.references, rated.opinions, (None,) * 112, rated.n_raters, (None,) * 112
    )
    compared = compare_values(bare, columns, rng=np.random.default_rng(0), n_draws=20)
    assert compared.why_no_pairs is not None
    assert "deviation" in compared.why_no_pairs
    assert all(method.pairs is None for method in compared.methods)
    assert all(method.agreement.outliers.value is None for method in compared.methods)
    assert all(method.by_artifact.values == {} for method in compared.methods)


def test_few_references_make_a_note_and_one_makes_one_group() -> None:
    rated, columns = study(NOISE)
    columns = [Column(c.name, c.better, c.values[:42]) for c in columns]
    few = compare_values(rated.subset(range(42)), columns, rng=np.random.default_rng(0), n_draws=20)
    assert "Only 3 references" in few.notes[0]
    columns = [Column(c.name, c.better, c.values[:14]) for c in columns]
    one = compare_values(rated.subset(range(14)), columns, rng=np.random.default_rng(0), n_draws=20)
    assert "One reference" in one.notes[0]
    assert len(one.groups) == 1
    assert np.isnan(one.methods[0].interval_by_reference).all()


def test_the_order_of_methods_does_not_matter() -> None:
    rated, columns = study(NOISE)
    one = compare_values(rated, columns, rng=np.random.default_rng(3), n_draws=20)
    other = compare_values(rated, columns[::-1], rng=np.random.default_rng(3), n_draws=20)
    assert one.methods == other.methods
    assert one.groups == other.groups


def test_what_makes_no_comparison_is_refused() -> None:
    rated, columns = study(NOISE)
    rng = np.random.default_rng(0)
    with pytest.raises(UsageError, match="two methods are called 'best'"):
        compare_values(rated, [columns[0], columns[0]], rng=rng)
    with pytest.raises(UsageError, match="3 values for 112 images"):
        compare_values(rated, [Column("short", "higher", (1.0, 2.0, 3.0))], rng=rng)
    with pytest.raises(InputError, match="4 rated images are left"):
        compare_values(rated.subset(range(4)), [], rng=rng)
    with pytest.raises(InputError, match="no method is left to compare; a: needs weights"):
        compare_values(rated, [], rng=rng, missing=[Missing("a", "needs weights")])
    flat = Rated(*(getattr(rated, f) for f in ("images", "references")), (1.0,) * 112,
                 rated.deviation, rated.n_raters, rated.artifacts)  # fmt: skip
    with pytest.raises(InputError, match="the same opinion"):
        compare_values(flat, columns, rng=rng)
