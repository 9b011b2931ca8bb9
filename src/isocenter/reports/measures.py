"""Measures in the order and the words in which every report shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from isocenter.data.scores import Percentile, Score

__all__ = [
    "NUMBERS",
    "REFERENCE",
    "Group",
    "Missing",
    "among",
    "arrow",
    "figure",
    "groups",
    "is_odd",
    "matrix",
    "missing",
    "ordinal",
    "placed_in",
    "short_names",
    "why_not_placed",
]

GROUPS = (
    ("signal and noise", r"snr_.*|cnr|cjv|snrd_.*"),
    ("air and ghosts", r"qi_[12]|efc|fber"),
    ("sharpness", r"fwhm_.*"),
    ("shading", r"inu_.*|wm2max"),
    ("tissue", r"icvs_.*|rpve_.*|tpm_overlap_.*"),
)
"""Title, and the names that stand under it."""
REFERENCE, OTHERS = "against the reference", "other"
GRID = re.compile(r"(size|spacing)_[xyz]")
SUMMARY = re.compile(r"summary_([a-z]+)_([a-z0-9]+)")
NUMBERS = ("mean", "median", "stdv", "mad", "p05", "p95", "k", "n")
"""Columns of the matrix of brightness."""
ARROWS = {"higher": "↑", "lower": "↓"}
ODD = (5.0, 95.0)
"""Percentiles beyond which a value is told apart from the others."""


@dataclass(frozen=True)
class Group:
    """Scores with a value that belong together."""

    title: str
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Missing:
    """Names that have no value for one and the same reason."""

    names: tuple[str, ...]
    reason: str


def groups(scores: Iterable[Score]) -> list[Group]:
    """The scores that have a value, under titles; without those of the grid and the matrix."""
    shown: dict[str, list[Score]] = {REFERENCE: [], **{title: [] for title, _ in GROUPS}}
    shown[OTHERS] = []
    for score in scores:
        if score.value is not None and not _is_elsewhere(score.name):
            shown[_title(score)].append(score)
    return [Group(title, tuple(found)) for title, found in shown.items() if found]


def matrix(scores: Iterable[Score]) -> dict[str, dict[str, float | None]]:
    """Brightness by region and number (:data:`NUMBERS`); regions without any value left out."""
    rows: dict[str, dict[str, float | None]] = {}
    for score in scores:
        found = SUMMARY.fullmatch(score.name)
        if found and found[2] in NUMBERS:
            rows.setdefault(found[1], {})[found[2]] = score.value
    return {region: row for region, row in rows.items() if set(row.values()) != {None}}


def missing(scores: Iterable[Score]) -> list[Missing]:
    """The scores without a value, by reason."""
    by_reason: dict[str, list[str]] = {}
    for score in scores:
        if score.value is None:
            by_reason.setdefault(score.why_missing or "not finite", []).append(score.name)
    return [Missing(tuple(names), reason) for reason, names in by_reason.items()]


def short_names(names: Sequence[str]) -> str:
    """Names of one family as one word.

    >>> short_names(["cnr", "snrd_csf", "snrd_gm", "qi_1", "summary_bg_k", "summary_bg_n"])
    'cnr, snrd_*, qi_1, summary_bg_*'
    """
    stems = [name.rpartition("_")[0] or name for name in names]
    shown = [
        f"{stem}_*" if stem != name and stems.count(stem) > 1 and stem != "qi" else name
        for name, stem in zip(names, stems, strict=True)
    ]
    return ", ".join(dict.fromkeys(shown))


def figure(value: float | None) -> str:
    """Four digits; a count as it is.

    >>> figure(0.387102), figure(260052.0), figure(None), figure(31.2), figure(1001.4)
    ('0.3871', '260052', '-', '31.20', '1001')
    """
    if value is None:
        return "-"
    if value == int(value) and abs(value) < 1e9:
        return f"{value:.0f}"
    return (f"{value:.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:#.4g}").rstrip(".")


def arrow(score: Score) -> str:
    """Which way is better: up, down, or nothing."""
    return ARROWS.get(score.better or "", "")


def among(scores: Iterable[Score]) -> Percentile | None:
    """A percentile that names the population, where any score has one."""
    return next((one for one in map(placed_in, scores) if one is not None), None)


def placed_in(score: Score) -> Percentile | None:
    """The score's percentile, if it has one with a value."""
    place = score.percentile
    return place if place is not None and place.value is not None else None


def why_not_placed(scores: Iterable[Score]) -> str | None:
    """Why no measure has a percentile; ``None`` when one has, or when none was asked for."""
    given = [score for score in scores if score.percentile is not None]
    if among(given) is not None:
        return None
    reasons = [
        score.percentile.why_missing
        for score in given
        if score.percentile is not None and score.value is not None
    ]
    return next((reason for reason in reasons if reason), None)


def is_odd(score: Score) -> bool:
    """Whether a score lies outside its population's band on the side that is worse."""
    place = placed_in(score)
    if place is None or place.value is None:
        return False
    low, high = ODD
    return (place.value < low and score.better != "lower") or (
        place.value > high and score.better != "higher"
    )


def ordinal(value: float) -> str:
    """A percentile in words.

    >>> [ordinal(value) for value in (0.5, 1.2, 21.4, 52.0, 99.5)]
    ['< 1st', '1st', '21st', '52nd', '> 99th']
    """
    if value < 1 or value > 99:
        return "< 1st" if value < 1 else "> 99th"
    number = round(value)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def _is_elsewhere(name: str) -> bool:
    """Whether a score is shown in the head line or in the matrix instead."""
    return bool(GRID.fullmatch(name) or SUMMARY.fullmatch(name))


def _title(score: Score) -> str:
    if score.compared:
        return REFERENCE
    found = (title for title, names in GROUPS if re.fullmatch(names, score.name))
    return next(found, OTHERS)
