"""Recipes for telling excluded scans of ABIDE from their MRIQC measures, side by side.

    python benchmarks/rating.py DATA

Each of the 17 sites is left out in turn.  The recipe that ships was chosen after looking at this
table, so its own figures here are a little too good; ``tools/train_rating.py`` also measures
a choice that is made without the site.  *rank* and *scaled* use the other scans of the same
site, unrated ones of the left-out site included (transductive); *raw* uses a scan alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.special
import scipy.stats
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression

from isocenter.datasets.mriqc import MEASURES, read_table
from isocenter.ops.ranks import normal_scores
from isocenter.statistics import auc

Array = npt.NDArray[np.float64]
Fit = Callable[[Array, Array], Callable[[Array], Array]]
"""From rows and truth, which may lie between 0 and 1, to a function from rows to probability."""
DOUBT = {-1.0: 1.0, 0.0: 0.5, 1.0: 0.0}
"""How surely a rating excludes."""
ALONE = (
    ("random forest", "raw"),
    ("random forest", "scaled"),
    ("extra trees", "raw"),
    ("extra trees", "rank"),
    ("extra trees", "raw+rank"),
    ("extra trees", "raw+scaled"),
    ("logistic", "raw"),
    ("logistic", "rank"),
    ("boosting", "raw"),
    ("boosting", "raw+rank"),
    ("extra trees, all raters", "raw"),
    ("extra trees, half all raters", "raw"),
    ("extra trees, half all raters", "raw+rank"),
)
TOGETHER = (
    (("extra trees", "raw"), ("extra trees", "rank")),
    (("extra trees", "raw"), ("logistic", "raw")),
    (("extra trees", "raw"), ("boosting", "raw")),
    (("extra trees", "raw+rank"), ("logistic", "raw")),
    (("extra trees", "raw"), ("extra trees, half all raters", "raw")),
    (("random forest", "raw"), ("logistic", "raw")),
    (("random forest", "raw"), ("extra trees", "raw"), ("boosting", "raw")),
    (("random forest", "raw"), ("boosting", "raw"), ("logistic", "raw")),
    (("extra trees", "raw"), ("boosting", "raw"), ("logistic", "raw")),
    (("boosting", "raw"), ("logistic", "rank")),
    (("boosting", "raw"), ("logistic", "raw")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    values, sites, truth, doubt = abide(parser.parse_args().data / "tables/abide.tsv")
    columns = features(values, sites)
    targets = {"all raters": doubt, "half all raters": (doubt + truth) / 2}
    said = {
        (name, kind): left_out(
            columns[kind], targets.get(name.partition(", ")[2], truth), sites, LEARNERS[name]
        )
        for name, kind in ALONE
    }
    print("| recipe | measures | AUC by site | AUC pooled |\n|---|---|---|---|")
    for names in (*((one,) for one in ALONE), *TOGETHER):
        odds = np.mean([log_odds(said[one]) for one in names], axis=0)
        areas = by_site(truth, odds, sites)
        learners, kinds = (" and ".join(part) for part in zip(*names, strict=True))
        print(
            f"| {learners} | {kinds} | {np.mean(areas):.3f} ± {np.std(areas):.3f} "
            f"| {auc(truth, odds):.3f} |",
            flush=True,
        )


def abide(path: Path) -> tuple[Array, npt.NDArray[np.str_], Array, Array]:
    """Measures, sites, excluded by the third rater, and the mean doubt of all raters."""
    scans = read_table(path, definition="mriqc-0.15")
    used = [name for name in MEASURES if not name.startswith(("size_", "spacing_"))]
    given = [
        [float(str(scan.others[f"rater_{i}"]).replace("n/a", "nan")) for i in (1, 2, 3)]
        for scan in scans
    ]
    doubt = [np.mean([DOUBT[one] for one in row if not np.isnan(one)]) for row in given]
    return (
        np.array([[scan.measures[name] for name in used] for scan in scans], float),
        np.array([str(scan.others["site"]) for scan in scans]),
        np.array([float(row[2] == -1) for row in given]),
        np.array(doubt),
    )


def features(values: Array, sites: npt.NDArray[np.str_]) -> dict[str, Array]:
    """The measures as they are, as ranks within the site, and scaled robustly within it."""
    rank, scaled = np.empty_like(values), np.empty_like(values)
    for site in np.unique(sites):
        here = sites == site
        rank[here] = (scipy.stats.rankdata(values[here], axis=0) - 0.5) / here.sum()
        low, middle, high = np.percentile(values[here], [25, 50, 75], axis=0)
        spread = np.where(high - low > 1e-12, high - low, 1)
        scaled[here] = (values[here] - middle) / spread
    return {
        "raw": values,
        "rank": rank,
        "scaled": scaled,
        "raw+rank": np.c_[values, rank],
        "raw+scaled": np.c_[values, scaled.clip(-5, 5)],
    }


def left_out(values: Array, target: Array, sites: npt.NDArray[np.str_], fit: Fit) -> Array:
    """What each site's scans are said to be by a model of the other sites."""
    said = np.empty(len(values))
    for site in np.unique(sites):
        here = sites == site
        said[here] = fit(values[~here], target[~here])(values[here])
    return said


def by_site(truth: Array, scores: Array, sites: npt.NDArray[np.str_]) -> list[float]:
    """AUC of every site that has both kinds."""
    rows = [sites == site for site in np.unique(sites)]
    return [float(auc(truth[r], scores[r])) for r in rows if len(set(truth[r])) == 2]


def log_odds(probability: Array) -> Array:
    """Finite also where every tree agrees."""
    return np.log((probability + 1e-3) / (1 - probability + 1e-3))


def forest(values: Array, truth: Array) -> Callable[[Array], Array]:
    """The random forest of earlier work on these measures."""
    made = RandomForestClassifier(
        200, max_depth=10, min_samples_leaf=10, class_weight="balanced", random_state=0
    ).fit(values, truth)
    return lambda asked: made.predict_proba(asked)[:, 1]


def extra(values: Array, truth: Array) -> Callable[[Array], Array]:
    """Extremely randomised trees."""
    made = ExtraTreesClassifier(
        300, min_samples_leaf=3, max_features=0.3, class_weight="balanced", random_state=0
    ).fit(values, truth)
    return lambda asked: made.predict_proba(asked)[:, 1]


def extra_soft(values: Array, doubt: Array) -> Callable[[Array], Array]:
    """Extremely randomised trees on what all raters say together."""
    made = ExtraTreesRegressor(300, min_samples_leaf=3, max_features=0.3, random_state=0)
    return made.fit(values, doubt).predict


def boosting(values: Array, truth: Array) -> Callable[[Array], Array]:
    """Boosted trees, one draw of rows and columns."""
    made = GradientBoostingClassifier(
        n_estimators=150,
        max_depth=3,
        learning_rate=0.05,
        subsample=0.5,
        max_features=0.2,
        random_state=0,
    ).fit(values, truth)
    return lambda asked: made.predict_proba(asked)[:, 1]


def logistic(values: Array, truth: Array) -> Callable[[Array], Array]:
    """Logistic regression on normal scores."""
    known = np.quantile(values, np.linspace(0, 1, 100), axis=0)
    line = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    line.fit(normal_scores(values, known), truth)
    return lambda asked: scipy.special.expit(line.decision_function(normal_scores(asked, known)))


LEARNERS: dict[str, Fit] = {
    "random forest": forest,
    "extra trees": extra,
    "extra trees, all raters": extra_soft,
    "extra trees, half all raters": extra_soft,
    "boosting": boosting,
    "logistic": logistic,
}

if __name__ == "__main__":
    main()
