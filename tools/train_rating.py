"""Train, calibrate and measure the rating models that ship with the package.

    python tools/train_rating.py --data DATA --out runs/rating

DATA holds the folder ``tables`` with the MRIQC measures and ratings of ABIDE (Apache-2.0, from
mriqc-learn) and of MR-ART (CC0, OpenNeuro ds004173).  OUT gets ``rating_abide.safetensors``,
``rating_mr_art.safetensors`` and ``scores.md``.

For each group (site, or tenth of the people) a model is trained on the others.  Its calibration,
a slope and an offset, is fitted on what was said of those others by models that did not know them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.special
import sklearn
import torch
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from isocenter.assessors._rating import NET, Blend
from isocenter.data.atomic import write_text
from isocenter.data.checkpoint import Checkpoint
from isocenter.datasets.mriqc import MEASURES, MeasuredScan, read_table
from isocenter.ops.ranks import normal_scores
from isocenter.statistics import (
    auc,
    balanced_accuracy,
    bootstrap_by_person,
    kappa,
    recall_at_specificity,
)
from isocenter.training.engine.commit import commit_of
from isocenter.training.trees import lay_out

Array = npt.NDArray[np.float64]
Truth = npt.NDArray[np.intp]
Groups = npt.NDArray[np.str_]

USED = tuple(name for name in MEASURES if not name.startswith(("size_", "spacing_")))
"""The 62 measures of the image; matrix and voxel size would only name the scanner."""
SEED = 0
"""Boosting draws rows and columns."""
N_LEVELS = 100
N_FOLDS = 10
PARTS = ("boosted trees alone", "logistic regression alone", "blend")


@dataclass(frozen=True)
class Table:
    """Scans, what raters said of them, and the groups that are left out together."""

    values: Array
    truth: Truth
    groups: Groups
    people: Groups


@dataclass(frozen=True)
class Held:
    """What was said of every scan by a model that did not know its group."""

    odds: Array
    """(N, 2), by trees and line, not calibrated."""
    probability: Array
    """(N,), of the blend, calibrated without the group."""
    choice: dict[str, int]
    """By group, which of ``PARTS`` the other groups would choose."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    abide = abide_table(options.data / "tables")
    mr_art = mr_art_table(options.data / "tables")
    texts = [train_abide(abide, mr_art, options.out), train_mr_art(mr_art, options.out)]
    write_text(options.out / "scores.md", "\n".join(texts))
    print("\n".join(texts))


def abide_table(folder: Path) -> Table:
    """ABIDE: truth is 1 where the third rater, who saw every scan, excludes it (-1)."""
    scans = read_table(folder / "abide.tsv", definition="mriqc-0.15")
    excluded = np.array([int(str(scan.others["rater_3"])) == -1 for scan in scans])
    sites = np.array([str(scan.others["site"]) for scan in scans])
    names = np.array([scan.name for scan in scans])
    return Table(matrix(scans), excluded.astype(int), sites, names)


def mr_art_table(folder: Path) -> Table:
    """MR-ART: truth is the motion score, 1 to 3; people are dealt to ten folds in turn."""
    scans = read_table(folder / "mr_art_mriqc_group_T1w.tsv", definition="mriqc-0.15")
    lines = (folder / "mr_art_scores.tsv").read_text(encoding="utf-8").splitlines()[1:]
    scores = dict(line.split("\t") for line in lines)
    people = np.array([scan.name.split("_")[0] for scan in scans])
    _, number = np.unique(people, return_inverse=True)
    folds = np.array([f"fold {n % N_FOLDS}" for n in number])
    return Table(matrix(scans), np.array([int(scores[s.name]) for s in scans]), folds, people)


def matrix(scans: Sequence[MeasuredScan]) -> Array:
    """(N, 62)."""
    return np.array([[scan.measures[name] for name in USED] for scan in scans], float)


# How one model is made


def fit(values: Array, truth: Truth) -> Blend:
    """Boosted trees and logistic regression for one yes-or-no question."""
    quantiles = np.quantile(values, np.linspace(0, 1, N_LEVELS), axis=0).astype(np.float32)
    line = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    line.fit(normal_scores(values, quantiles), truth)
    boosted = GradientBoostingClassifier(
        n_estimators=150,
        max_depth=3,
        learning_rate=0.05,
        subsample=0.5,
        max_features=0.2,
        random_state=SEED,
    ).fit(values, truth)
    grown = [tree.tree_ for tree in boosted.estimators_.ravel()]
    trees = lay_out(
        grown,
        [boosted.learning_rate * tree.value.ravel() for tree in grown],
        offset=float(scipy.special.logit(truth.mean())),
    )
    return Blend(trees, line.coef_[0].astype(np.float32), float(line.intercept_[0]), quantiles)


def calibration(odds: Array, truth: Truth) -> tuple[float, float]:
    """Slope and offset of log odds by maximum likelihood (Platt)."""
    line = LogisticRegression(C=np.inf).fit(odds[:, None], truth)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def hold_out(table: Table, truth: Truth) -> Held:
    """Train without every group in turn, and calibrate on the groups that are left."""
    odds, probability, choice = np.empty((len(truth), 2)), np.empty(len(truth)), {}
    names = sorted(set(table.groups))
    for name in names:
        here = table.groups == name
        odds[here] = fit(table.values[~here], truth[~here]).parts(table.values[here])
    mean = odds.mean(1)
    for name in names:
        here = table.groups == name
        slope, offset = calibration(mean[~here], truth[~here])
        probability[here] = scipy.special.expit(slope * mean[here] + offset)
        choice[name] = _best(odds[~here], truth[~here], table.groups[~here])
    return Held(odds, probability, choice)


def _best(odds: Array, truth: Truth, groups: Groups) -> int:
    """Which part, or the blend, these groups would choose by mean and pooled AUC."""
    scores = [
        auc(truth, one) + np.mean(list(by_group(truth, one, groups).values()))
        for one in (*odds.T, odds.mean(1))
    ]
    return int(np.argmax(scores))


# What is measured


def by_group(truth: Truth, scores: Array, groups: Groups) -> dict[str, float]:
    """AUC of every group that holds both answers."""
    found = {}
    for name in sorted(set(groups)):
        rows = groups == name
        if 0 < truth[rows].sum() < rows.sum():
            found[name] = float(auc(truth[rows], scores[rows]))
    return found


def interval(people: Groups, statistic: Callable[[npt.NDArray[np.intp]], float]) -> str:
    """95 % interval by drawing groups or people again."""
    low, high = bootstrap_by_person(list(people), statistic, rng=np.random.default_rng(7))
    return f"{low:.3f} to {high:.3f}"


def summary(truth: Truth, scores: Array, groups: Groups) -> list[str]:
    """Cells: mean AUC of groups, pooled AUC and its interval, recall at specificity 0.9."""
    areas = list(by_group(truth, scores, groups).values())
    recall = float(recall_at_specificity(truth, scores, specificity=0.9))
    return [
        f"{np.mean(areas):.3f} ± {np.std(areas):.3f}",
        f"{auc(truth, scores):.3f}",
        interval(groups, lambda rows: float(auc(truth[rows], scores[rows]))),
        f"{recall:.3f}",
    ]


def decisions(truth: Truth, probability: Array, limit: float) -> list[str]:
    """Cells: accuracy, balanced accuracy, recall and specificity of one limit."""
    guess = (probability >= limit).astype(int)
    return [
        f"{np.mean(guess == truth):.3f}",
        f"{balanced_accuracy(truth, guess):.3f}",
        f"{guess[truth == 1].mean():.3f}",
        f"{1 - guess[truth == 0].mean():.3f}",
    ]


def reliability(truth: Truth, probability: Array, n_bins: int = 10) -> tuple[str, float, float]:
    """Table of said and seen shares in bins of equal count, expected error, Brier score."""
    bins = np.array_split(np.argsort(probability, kind="stable"), n_bins)
    rows = [[str(len(b)), f"{probability[b].mean():.3f}", f"{truth[b].mean():.3f}"] for b in bins]
    gap = sum(len(b) * abs(probability[b].mean() - truth[b].mean()) for b in bins) / len(truth)
    brier = float(np.mean((probability - truth) ** 2))
    return markdown(["scans", "said", "seen"], rows), float(gap), brier


def single(table: Table, truth: Truth) -> Array:
    """The one measure (and direction) that tells best in the other groups."""
    scores = np.empty(len(truth))
    for name in sorted(set(table.groups)):
        rows = table.groups == name
        areas = np.array([auc(truth[~rows], column) for column in table.values[~rows].T])
        best = int(np.argmax(np.abs(areas - 0.5)))
        known = np.sort(table.values[~rows, best])
        rank = np.searchsorted(known, table.values[rows, best]) / len(known)
        scores[rows] = rank if areas[best] > 0.5 else 1 - rank
    return scores


def chosen(held: Held, groups: Groups) -> Array:
    """Calibration aside: for each group the part that the other groups would choose."""
    candidates = np.c_[held.odds, held.odds.mean(1)]
    picks = np.array([held.choice[name] for name in groups])
    return candidates[np.arange(len(picks)), picks]


# The two models


def train_abide(table: Table, foreign: Table, out: Path) -> str:
    """Train, measure and write the model of exclusion; the text of its tables."""
    truth = table.truth
    held = hold_out(table, truth)
    base = float(truth.mean())
    compared = {
        "blend (ships)": held.odds.mean(1),
        "choice of part or blend by the other sites": chosen(held, table.groups),
        PARTS[0]: held.odds[:, 0],
        PARTS[1]: held.odds[:, 1],
        "best single measure": single(table, truth),
        "majority": np.zeros(len(truth)),
    }
    head = ["model", "AUC by site", "AUC pooled", "95 % by site", "recall at specificity 0.9"]
    text = [
        "### Excluded or not, 17 sites of ABIDE, each left out in turn",
        markdown(head, [[n, *summary(truth, s, table.groups)] for n, s in compared.items()]),
        markdown(
            ["calibrated blend", "accuracy", "balanced accuracy", "recall", "specificity"],
            [
                ["excluded from 0.5", *decisions(truth, held.probability, 0.5)],
                [f"excluded from {base:.2f}", *decisions(truth, held.probability, base)],
                ["never excluded", *decisions(truth, np.zeros(len(truth)), 0.5)],
            ],
        ),
        _site_table(table, held),
    ]
    shares, gap, brier = reliability(truth, held.probability)
    text += [shares, f"Expected calibration error {gap:.3f}, Brier score {brier:.3f}; "
             f"always saying {base:.3f}: {base * (1 - base):.3f}."]  # fmt: skip
    blend = fit(table.values, truth)
    elsewhere = blend.log_odds(foreign.values)
    rows = []
    for step in (2, 3):
        seen = (foreign.truth >= step).astype(int)
        area = float(auc(seen, elsewhere))
        low_high = interval(foreign.people, lambda r, s=seen: float(auc(s[r], elsewhere[r])))
        rows.append([f"{step} or more against less", f"{area:.3f}", low_high])
    text += ["The shipped model on MR-ART, which it never saw:",
             markdown(["motion score", "AUC", "95 % by person"], rows)]  # fmt: skip
    scores = {
        "auc_by_site": {
            n: round(a, 4) for n, a in by_group(truth, held.odds.mean(1), table.groups).items()
        },
        "auc_pooled": round(float(auc(truth, held.odds.mean(1))), 4),
        "brier": round(brier, 4),
        "calibration_error": round(gap, 4),
    }
    card = {
        "task": "whether a rater would exclude a T1w scan; research use only",
        "data": ["ABIDE I measures and ratings of mriqc-learn, tables/abide.tsv (Apache-2.0)"],
        "truth": "rater_3 is -1 against 0 or 1",
        "measured": "17 sites, each left out in turn",
        "sites": sorted(set(table.groups)),
        "site_statistics": "none used: a scan is judged by itself, nothing is fitted to its site",
        "base_rate": round(base, 4),
        "scores": scores,
    }
    save(out, "abide", {"exclude": (blend, calibration(held.odds.mean(1), truth))}, card)
    return "\n\n".join(text) + "\n"


def _site_table(table: Table, held: Held) -> str:
    areas = by_group(table.truth, held.odds.mean(1), table.groups)
    rows = []
    for name in sorted(set(table.groups)):
        here = table.groups == name
        truth, guess = table.truth[here], held.probability[here] >= table.truth.mean()
        both = name in areas
        rows.append(
            [
                name,
                str(here.sum()),
                str(truth.sum()),
                f"{areas[name]:.3f}" if both else "-",
                f"{balanced_accuracy(truth, guess.astype(int)):.3f}" if both else "-",
                f"{guess[truth == 1].mean():.3f}" if truth.sum() else "-",
            ]
        )
    head = ["site", "scans", "excluded", "AUC", "balanced accuracy", "recall"]
    return markdown(head, rows)


def train_mr_art(table: Table, out: Path) -> str:
    """Train, measure and write the model of the motion score; the text of its tables."""
    steps = {step: (table.truth >= step).astype(int) for step in (2, 3)}
    held = {step: hold_out(table, seen) for step, seen in steps.items()}
    odds = {step: one.odds.mean(1) for step, one in held.items()}
    upper = np.minimum(held[3].probability, held[2].probability)
    expected = 1 + held[2].probability + upper
    guess = np.clip(np.rint(expected), 1, 3).astype(int)
    seen = steps[2]
    compared = {
        "blend (ships)": odds[2],
        PARTS[0]: held[2].odds[:, 0],
        PARTS[1]: held[2].odds[:, 1],
        "best single measure": single(table, seen),
        "majority": np.zeros(len(seen)),
    }

    def agreed(rows: npt.NDArray[np.intp]) -> float:
        return float(kappa(table.truth[rows], guess[rows], weights="quadratic"))

    rows = [
        [n, f"{auc(seen, s):.3f}", interval(table.people, lambda r, s=s: float(auc(seen[r], s[r])))]
        for n, s in compared.items()
    ]
    upper_step = interval(table.people, lambda r: float(auc(steps[3][r], odds[3][r])))
    rows.append(["blend, 1 and 2 against 3", f"{auc(steps[3], odds[3]):.3f}", upper_step])
    every = np.arange(len(guess))
    shares, gap, brier = reliability(seen, held[2].probability)
    base = float(seen.mean())
    text = [
        "### Motion score of MR-ART, 148 people in ten folds",
        markdown(["model, score 1 against 2 and 3", "AUC", "95 % by person"], rows),
        f"Quadratic weighted kappa of the rounded expected score: {agreed(every):.3f} "
        f"({interval(table.people, agreed)}); of always saying 3: 0; "
        f"exact in {np.mean(guess == table.truth):.3f} of scans, always saying 3 in "
        f"{np.mean(table.truth == 3):.3f}.",
        shares,
        f"Expected calibration error {gap:.3f}, Brier score {brier:.3f}; "
        f"always saying {base:.3f}: {base * (1 - base):.3f}.",
    ]
    answers = {
        f"score of {step} or more": (fit(table.values, one), calibration(odds[step], one))
        for step, one in steps.items()
    }
    card = {
        "task": "how much motion a rater would see in a T1w scan, 1 to 3; research use only",
        "data": ["MR-ART, OpenNeuro ds004173: MRIQC 0.16.1 table and scores (CC0)"],
        "truth": "scores.tsv: 1 good, 2 medium, 3 bad",
        "formulation": "cumulative: one question per step; the expected score is 1 plus their sum",
        "measured": "148 people in ten folds, all scans of a person on one side; one scanner",
        "base_rate": round(base, 4),
        "scores": {
            "auc_1_against_2_and_3": round(float(auc(seen, odds[2])), 4),
            "quadratic_weighted_kappa": round(agreed(every), 4),
            "brier": round(brier, 4),
            "calibration_error": round(gap, 4),
        },
    }
    save(out, "mr_art", answers, card)
    return "\n\n".join(text) + "\n"


def save(
    out: Path,
    name: str,
    answers: dict[str, tuple[Blend, tuple[float, float]]],
    card: dict[str, Any],
) -> None:
    """Write one checkpoint."""
    blends = [blend for blend, _ in answers.values()]
    tensors = {
        key: tensor
        for i, blend in enumerate(blends)
        for key, tensor in blend.tensors(f"answer_{i}").items()
    }
    tensors["quantiles"] = torch.from_numpy(blends[0].quantiles)
    Checkpoint(
        net=NET,
        config={},
        preprocess={"definition": "mriqc-0.15", "contrast": "T1w", "measures": list(USED)},
        outputs={"of": list(answers), "each": "probability", "range": [0, 1]},
        calibration={answer: list(line) for answer, (_, line) in answers.items()},
        card={
            "name": name,
            "licence": "Apache-2.0",
            "seed": SEED,
            "commit": commit_of(Path(__file__).parent),
            "command": "python tools/train_rating.py --data DATA --out runs/rating",
            "scikit-learn": sklearn.__version__,
            **card,
        },
        tensors=tensors,
    ).save(out / f"rating_{name}.safetensors")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
