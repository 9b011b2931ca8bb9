"""The tables of ``enhancement_benchmark.py``, and the calibration that its rows give."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from enhancement_measures import FOUND, QUANTILES, coverage

from isocenter.statistics import bootstrap_by_person

LEVELS = (0.5, 0.8, 0.9)
"""Of the intervals."""
PUBLISHED = {4: (32.66, 0.875), 8: (29.69, 0.777)}
"""PSNR and SSIM of the published README."""
FIDELITY = {"psnr": 2, "ssim": 4, "psnr_peak": 2}
"""With digits to show."""
NORMAL_90 = 1.6449
"""Half width of the central 90 % of a normal distribution."""
RATIOS = range(2, 9)
"""That a checkpoint has a factor for."""
BEYOND = ("plain", "noisier", "inverted", "shuffled", "nothing")

Row = Mapping[str, Any]
Statistic = Callable[[Sequence[Row]], float]


def fit(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Factors of the deviation by ratio and of its interval by level, of validation people under
    the whole simulator.

    The factor of a ratio is the one of greatest likelihood, every person weighing the same.  That
    of a level is the quantile of error over scaled deviation, of the mean of all people's
    distributions and all ratios.  With as few people as here the correction for finite samples
    would ask for a level above 1 at 90 %: it is left out, so that coverage is what is expected and
    not what is guaranteed.  Ratios between measured ones get a factor between theirs, others that
    of the nearest.
    """
    known = [row for row in rows if row["side"] == "validation" and _counts(row)]
    if not known:
        return {}
    scales = {}
    for ratio in sorted({row["ratio"] for row in known}):
        squares = _by_person([row for row in known if row["ratio"] == ratio], _mean_square)
        scales[ratio] = float(np.mean(squares)) ** 0.5
    factors = np.geomspace(0.05, 20, 2000)
    people = _by_person(
        known, lambda some: np.mean([_covered(row, factors, scales) for row in some], axis=0)
    )
    curve = np.mean(people, axis=0)
    interval = {f"{level:g}": float(np.interp(level, curve, factors)) for level in LEVELS}
    between = np.interp(np.log(RATIOS), np.log(list(scales)), list(scales.values()))
    return {
        "deviation_scale": {
            str(ratio): round(float(value), 4) for ratio, value in zip(RATIOS, between, strict=True)
        },
        "interval": {level: round(value, 4) for level, value in interval.items()},
    }


def _counts(row: Row) -> bool:
    """The whole simulator is nearest to real scans, and the condition that is hardest to hold."""
    return "quantiles" in row and row["condition"] == "lowfield"


def _mean_square(rows: Sequence[Row]) -> float:
    return float(np.mean([row["mean_square"] for row in rows]))


def _by_person(rows: Sequence[Row], statistic: Callable[[Sequence[Row]], Any]) -> list[Any]:
    people = dict.fromkeys(row["person"] for row in rows)
    return [statistic([row for row in rows if row["person"] == one]) for one in people]


def _covered(row: Row, factors: Any, scales: Mapping[int, float]) -> Any:
    return np.interp(factors * scales[row["ratio"]], np.array(row["quantiles"]), QUANTILES)


def tables(rows: Sequence[Row], calibrated: str, fitted: Mapping[str, Any]) -> str:
    """Markdown of all that the rows tell."""
    test = [row for row in rows if row["side"] == "test"]
    parts = [
        *_fidelity(test),
        *_lesions(rows),
        *_false(test),
        *_doubt(test),
        *_volumes(test),
        *_repeats(test),
    ]
    if fitted:
        parts += _calibration([row for row in test if row["method"] == calibrated], fitted)
    return "\n".join([*parts, ""])


def _fidelity(rows: Sequence[Row]) -> list[str]:
    lines: list[str] = []
    groups = [[row for row in rows if _of(row) == one] for one in dict.fromkeys(map(_of, rows))]
    for known, (condition, ratio) in (
        (group, pair) for group in groups for pair in _pairs(group, ("plain", "lowfield"))
    ):
        some = [r for r in known if (r["condition"], r["ratio"]) == (condition, ratio)]
        lines += [f"\n{condition}, r = {ratio}, {_of(some[0])}, {_count(some)}", ""]
        lines += _compared(some, "")
        if condition == "lowfield":
            lines += ["", "the same, against the high-field scan:", ""]
            lines += _compared(some, "_high")
            if ratio in PUBLISHED:
                psnr, ssim = PUBLISHED[ratio]
                lines.append(f"| published README, other people, SSIM | - | {ssim} | {psnr} | - |")
    return lines


def _of(row: Row) -> str:
    """The data set."""
    return str(row["person"].split("/")[0])


def _compared(rows: Sequence[Row], ending: str) -> list[str]:
    """One line a method; differences to cubic splines are of the same scans."""
    cubic = {row["scan"]: row["psnr" + ending] for row in rows if row["method"] == "cubic"}
    lines = ["| method | PSNR, dB | SSIM | PSNR by peak, dB | minus cubic, dB |", "|---" * 5 + "|"]
    for name in dict.fromkeys(row["method"] for row in rows):
        chosen = [row for row in rows if row["method"] == name]
        gain = _mean_of(lambda row: row["psnr" + ending] - cubic[row["scan"]])
        cells = [_mean(chosen, key + ending, digits) for key, digits in FIDELITY.items()]
        cells.append(_interval([row for row in chosen if row["scan"] in cubic], gain, 2))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _calibration(rows: Sequence[Row], fitted: Mapping[str, Any]) -> list[str]:
    scales = {int(ratio): value for ratio, value in fitted["deviation_scale"].items()}
    lines = [f"\ncalibration: {dict(fitted)}", ""]
    head = [f"covers {100 * level:.0f} %" for level in LEVELS]
    head += ["90 % by scale alone", "NLL", "of a constant", "rank", "AUSE"]
    lines += [f"| condition | r | {' | '.join(head)} |"]
    lines += ["|---" * 10 + "|"]
    for condition, ratio in _pairs(rows, ("plain", "lowfield", "noisier", "inverted")):
        some = [r for r in rows if (r["condition"], r["ratio"]) == (condition, ratio)]
        some = [row for row in some if "quantiles" in row]
        if not some:
            continue
        cells = [_interval(some, one, digits) for one, digits in _figures(scales[ratio], fitted)]
        lines.append(f"| {condition} | {ratio} | {' | '.join(cells)} |")
    return lines


def _figures(scale: float, fitted: Mapping[str, Any]) -> list[tuple[Statistic, int]]:
    """Of a calibrated deviation, with digits to show."""
    factors = [scale * fitted["interval"][f"{level:g}"] for level in LEVELS]
    return [
        *((_mean_of(partial(coverage, factor=factor)), 3) for factor in factors),
        (_mean_of(partial(coverage, factor=NORMAL_90 * scale)), 3),
        (_mean_of(partial(_likelihood, scale=scale)), 2),
        (_mean_of(_likelihood_of_constant), 2),
        (_mean_of(lambda row: row["rank"]), 2),
        (_mean_of(lambda row: row["ause"]), 3),
    ]


def _likelihood(row: Row, scale: float) -> float:
    """Mean negative log-likelihood of the error over the brightness."""
    spread = math.log(scale) + row["mean_log_deviation"]
    return 0.5 * math.log(2 * math.pi) + spread + row["mean_square"] / scale**2 / 2


def _likelihood_of_constant(row: Row) -> float:
    """The same of one deviation for all voxels, the root mean square error itself."""
    return 0.5 * math.log(2 * math.pi) - row["psnr"] / 20 * math.log(10) + 0.5


def _lesions(rows: Sequence[Row]) -> list[str]:
    known = [row for row in rows if row.get("n_lesions", 0) > 0]
    if not known:
        return []
    head = "number | recall | beside cubic | contrast kept | volume"
    lines = ["", f"| lesions | side | r | method | {head} |", "|---" * 9 + "|"]
    groups = dict.fromkeys(
        (
            "inserted" if row["condition"] == "lesions" else f"{row['person']} {row['contrast']}",
            row["side"],
            row["ratio"],
            row["method"],
        )
        for row in known
    )
    for group in sorted(groups, key=lambda one: (one[0] != "inserted", *one[:3])):
        what, side, ratio, method = group
        some = [
            row
            for row in known
            if (row["side"], row["ratio"], row["method"]) == (side, ratio, method)
            and (row["condition"] == "lesions") == (what == "inserted")
            and (what == "inserted" or f"{row['person']} {row['contrast']}" == what)
        ]
        number = sum(row["n_lesions"] for row in some)
        cells = [
            _interval(some, _share("n_found"), 2),
            _beside_cubic(some, known),
            _interval(some, _share("recovery"), 2),
            _interval(some, _share("volume_ratio"), 2),
        ]
        lines.append(f"| {what} | {side} | {ratio} | {method} | {number} | {' | '.join(cells)} |")
    return lines


def _beside_cubic(rows: Sequence[Row], known: Sequence[Row]) -> str:
    """How many lesions only this method finds, and how many only cubic splines find."""
    cubic = {_case(row): row["kept"] for row in known if row["method"] == "cubic"}
    pairs = [
        (one >= FOUND, other >= FOUND)
        for row in rows
        for one, other in zip(row["kept"], cubic[_case(row)], strict=True)
    ]
    gained, lost = (sum(a > b for a, b in pairs), sum(a < b for a, b in pairs))
    return f"+{gained} -{lost}"


def _case(row: Row) -> tuple[str, str, int]:
    return row["scan"], row["condition"], row["ratio"]


def _share(key: str) -> Statistic:
    """Over all lesions: counts as they are, shares weighted by the number of lesions."""

    def statistic(rows: Sequence[Row]) -> float:
        weight = sum(row["n_lesions"] for row in rows)
        count = key.startswith("n_")
        return sum(row[key] * (1 if count else row["n_lesions"]) for row in rows) / weight

    return statistic


def _by_method(rows: Sequence[Row]) -> Iterator[tuple[int, str, list[Row]]]:
    """Rows of each ratio and method, in the order in which they first appear."""
    for ratio, method in dict.fromkeys((row["ratio"], row["method"]) for row in rows):
        yield (
            ratio,
            method,
            [row for row in rows if (row["ratio"], row["method"]) == (ratio, method)],
        )


def _false(rows: Sequence[Row]) -> list[str]:
    known = [row for row in rows if "false_lesions" in row and row["condition"] == "plain"]
    lines = []
    for ratio, method, some in _by_method(known):
        litres = sum(row["white_litres"] for row in some) / len(some)
        lines.append(
            f"- false lesions a brain, r = {ratio}, {method}: {_mean(some, 'false_lesions', 2)} in "
            f"{1000 * litres:.0f} ml of inner white matter, {_count(some)}"
        )
    return ["", *lines] if lines else []


def _doubt(rows: Sequence[Row]) -> list[str]:
    known = [row for row in rows if "doubt" in row]
    lines = []
    for method, ratio in dict.fromkeys((row["method"], row["ratio"]) for row in known):
        here = [row for row in known if (row["method"], row["ratio"]) == (method, ratio)]
        beyond = {row["scan"] for row in here if row["condition"] == "nothing"}
        for condition in BEYOND if beyond else ():
            some = [r for r in here if r["condition"] == condition and r["scan"] in beyond]
            if some:
                lines.append(
                    f"- mean deviation over brightness, {method}, r = {ratio}, {condition}: "
                    f"{_mean(some, 'doubt', 4)}, {_count(some)}"
                )
    return ["", *lines] if lines else []


def _volumes(rows: Sequence[Row]) -> list[str]:
    """Bland and Altman: mean difference and the limits that hold 95 % of them."""
    known = [row for row in rows if "ml" in row]
    lines = []
    for ratio, method, some in _by_method(known):
        for tissue in ("csf", "gm", "wm"):
            gap = np.array([row["ml"][tissue] - row["true_ml"][tissue] for row in some])
            true = np.mean([row["true_ml"][tissue] for row in some])
            spread = 1.96 * gap.std(ddof=1) if len(gap) > 1 else float("nan")
            lines.append(
                f"- volume of {tissue}, r = {ratio}, {method}: {gap.mean():+.1f} ml, limits "
                f"{gap.mean() - spread:+.1f} to {gap.mean() + spread:+.1f}, of {true:.0f}, "
                f"{_count(some)}"
            )
    return ["", *lines] if lines else []


def _repeats(rows: Sequence[Row]) -> list[str]:
    known = [row for row in rows if "between_draws" in row]
    lines = [
        f"- {row['scan']}, r = {row['ratio']}, {row['method']}: spread between draws "
        f"{row['between_draws']:.4f} of the brightness, stated {row.get('stated', math.nan):.4f}"
        for row in known
    ]
    return ["", *lines] if lines else []


def _pairs(rows: Sequence[Row], conditions: Sequence[str]) -> list[tuple[str, int]]:
    known = dict.fromkeys((row["condition"], row["ratio"]) for row in rows)
    return sorted(
        (pair for pair in known if pair[0] in conditions),
        key=lambda pair: (conditions.index(pair[0]), pair[1]),
    )


def _count(rows: Sequence[Row]) -> str:
    people, scans = {row["person"] for row in rows}, {row["scan"] for row in rows}
    return f"{len(scans)} scans of {len(people)} people"


def _mean(rows: Sequence[Row], key: str, digits: int) -> str:
    return _interval(rows, _mean_of(lambda row: row[key]), digits)


def _mean_of(value: Callable[[Row], float]) -> Statistic:
    return lambda rows: float(np.mean([value(row) for row in rows]))


def _interval(rows: Sequence[Row], statistic: Statistic, digits: int) -> str:
    """A figure of all rows, and its 95 % interval by drawing people again."""
    if not rows:
        return "-"
    if len({row["person"] for row in rows}) == 1:
        return f"{statistic(rows):.{digits}f}"
    low, high = bootstrap_by_person(
        [row["person"] for row in rows],
        lambda index: statistic([rows[i] for i in index]),
        rng=np.random.default_rng(0),
    )
    return f"{statistic(rows):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
