"""Percentiles of measures: right where they compare, refused with a reason where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from isocenter.datasets import mriqc, populations
from isocenter.datasets.populations import percentile
from isocenter.errors import UnknownName
from tests.tool_modules import tool_module

every_population = pytest.mark.parametrize("name", sorted(populations.populations()))


def test_the_median_is_in_the_middle_and_the_band_holds_nine_in_ten() -> None:
    known = populations.populations()["abide"]
    middle = known.quantiles["cjv"][list(known.levels).index(50.0)]
    found = percentile("cjv", middle, definition="mriqc-0.15", contrast="T1w")
    assert (found.population, found.n, found.why_missing) == ("abide", 1101, None)
    assert found.value == pytest.approx(50)
    assert found.band is not None
    for bound, share in zip(found.band, (5, 95), strict=True):
        at = percentile("cjv", bound, definition="mriqc-0.15", contrast="T1w")
        assert at.value == pytest.approx(share)


def test_beyond_all_known_values_the_outermost_level_answers() -> None:
    for value, level in ((-1e9, 0.5), (1e9, 99.5)):
        found = percentile("cnr", value, definition="mriqc-0.15", contrast="T1w")
        assert found.value == pytest.approx(level)


@pytest.mark.parametrize(
    ("name", "value", "definition", "contrast", "why"),
    [
        ("cjv", 0.4, "mriqc-24", "T1w", "measured by mriqc-0.15, not by mriqc-24"),
        ("cjv", 0.4, "corrected", "T1w", "not by corrected"),
        ("cjv", 0.4, "mriqc-0.15", "T2w", "is T1w, the scan T2w"),
        ("cjv", 0.4, "mriqc-0.15", None, "the scan unknown"),
        ("cjv", None, "mriqc-0.15", "T1w", "was not computed"),
        ("cjv", float("nan"), "mriqc-0.15", "T1w", "was not computed"),
        ("qi_2", 0.0, "mriqc-0.15", "T1w", "was not computed"),
        ("fber", -1, "mriqc-0.15", "T1w", "was not computed"),
        ("spacing_x", 1.0, "mriqc-0.15", "T1w", "how a scan was taken"),
    ],
)
def test_what_does_not_compare_has_no_percentile_but_a_reason(
    name: str, value: float | None, definition: str, contrast: str | None, why: str
) -> None:
    found = percentile(name, value, definition=definition, contrast=contrast)
    assert (found.value, found.band, found.population) == (None, None, None)
    assert found.why_missing is not None
    assert why in found.why_missing


def test_mistyped_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'cjv'"):
        percentile("cjvv", 1.0, definition="mriqc-0.15", contrast="T1w")
    with pytest.raises(UnknownName, match="no population 'ABIDE'"):
        percentile("cjv", 1.0, definition="mriqc-0.15", contrast="T1w", population="ABIDE")


@every_population
def test_a_population_is_whole(name: str) -> None:
    known = populations.populations()[name]
    assert len(known.quantiles) == len(known.n) == 62
    assert set(known.quantiles) < set(mriqc.MEASURES)
    assert np.all(np.diff(known.levels) > 0)
    for quantiles in known.quantiles.values():
        assert len(quantiles) == len(known.levels)
        assert np.all(np.diff(quantiles) >= 0)


@every_population
def test_source_and_licence_are_stated_where_the_file_lies(name: str) -> None:
    known = populations.populations()[name]
    stated = (Path(populations.__file__).parent / "SOURCES.md").read_text(encoding="utf-8")
    assert known.licence in stated
    assert known.source.split(" at ")[0].split()[-1] in stated


@pytest.mark.data
def test_percentiles_are_those_of_the_table(data_root: Path) -> None:
    scans = mriqc.read(data_root / "tables/abide.tsv", definition="mriqc-0.15")
    for name in ("cjv", "snr_total", "qi_1", "summary_bg_p05"):
        values = [float(scan.measures[name] or 0) for scan in scans]
        for value in np.quantile(values, [0.02, 0.3, 0.77, 0.9]):
            found = percentile(name, float(value), definition="mriqc-0.15", contrast="T1w")
            truth = scipy.stats.percentileofscore(values, value, kind="mean")
            assert found.value == pytest.approx(truth, abs=1.5), name


@pytest.mark.data
def test_the_file_is_what_the_tool_makes(data_root: Path) -> None:
    tool = tool_module("make_populations")
    assert tool.make(data_root / "tables") == tool.TARGET.read_text(encoding="utf-8")
