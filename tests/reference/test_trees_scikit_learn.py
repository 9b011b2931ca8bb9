"""Trees and calibrated blends against scikit-learn, which grew them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.preprocessing import QuantileTransformer

from isocenter.ops.ranks import normal_scores
from isocenter.ops.trees import Trees
from isocenter.training.trees import lay_out

RNG = np.random.default_rng(5)
KNOWN = RNG.normal(size=(400, 12)) * np.logspace(-3, 6, 12)
TRUTH = (KNOWN[:, 0] * 1e3 + KNOWN[:, 5] * 1e-1 + RNG.normal(size=400) > 0).astype(int)
ASKED = np.r_[RNG.normal(size=(2000, 12)) * np.logspace(-3, 6, 12), KNOWN]


@pytest.mark.parametrize("kind", [RandomForestClassifier, ExtraTreesClassifier])
def test_the_average_of_a_forest(kind: type[RandomForestClassifier]) -> None:
    forest = kind(60, min_samples_leaf=2, class_weight="balanced", random_state=0)
    forest.fit(KNOWN, TRUTH)
    grown = [tree.tree_ for tree in forest.estimators_]
    shares = [tree.value[:, 0, 1] / tree.value[:, 0].sum(1) / len(grown) for tree in grown]
    ours = lay_out(grown, shares)(ASKED)
    np.testing.assert_allclose(ours, forest.predict_proba(ASKED)[:, 1], atol=1e-6)


def test_the_sum_of_boosted_trees() -> None:
    boosted = GradientBoostingClassifier(n_estimators=80, subsample=0.5, random_state=0)
    boosted.fit(KNOWN, TRUTH)
    ours = scipy.special.expit(boosting(boosted)(ASKED))
    np.testing.assert_allclose(ours, boosted.predict_proba(ASKED)[:, 1], atol=1e-6)


def test_values_at_a_threshold_take_the_same_side() -> None:
    """Thresholds are kept in single precision and still divide as in double precision."""
    forest = RandomForestClassifier(20, random_state=0).fit(KNOWN, TRUTH)
    grown = [tree.tree_ for tree in forest.estimators_]
    at = np.array([t for tree in grown for t in tree.threshold[tree.feature >= 0]])
    near = np.r_[at, np.nextafter(at.astype(np.float32), np.inf, dtype=np.float32)]
    asked = np.repeat(near.astype(np.float32)[:, None], 12, axis=1)
    leaves = [np.arange(len(tree.feature), dtype=float) for tree in grown]
    for tree, leaf in zip(grown, leaves, strict=True):
        assert np.array_equal(lay_out([tree], [leaf])(asked), tree.apply(asked).astype(float))


def test_normal_scores_are_those_of_a_quantile_transform() -> None:
    transform = QuantileTransformer(n_quantiles=100, output_distribution="normal", subsample=None)
    theirs = transform.fit_transform(KNOWN)
    ours = normal_scores(KNOWN, np.quantile(KNOWN, np.linspace(0, 1, 100), axis=0))
    inside = np.abs(theirs) < 2.5
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-6)


def boosting(boosted: GradientBoostingClassifier) -> Trees:
    grown = [tree.tree_ for tree in boosted.estimators_.ravel()]
    steps = [boosted.learning_rate * tree.value.ravel() for tree in grown]
    return lay_out(grown, steps, offset=float(scipy.special.logit(TRUTH.mean())))
