"""Percentiles and ratings of measures, and what has to lie on a scan's grid."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from isocenter.assessors import NoRating, Rating, ratings, scores_of_file
from isocenter.assessors._measured import measured
from isocenter.data.grids import mask_of, on_grid
from isocenter.data.io import write
from isocenter.data.volume import Volume
from isocenter.datasets.mriqc import MEASURES, MeasuredScan
from isocenter.datasets.populations import percentile, populations
from isocenter.errors import BadVolume, UnknownName

KNOWN = populations()["abide"].quantiles
TYPICAL = {name: KNOWN[name][len(KNOWN[name]) // 2] if name in KNOWN else 1.0 for name in MEASURES}
SCAN = MeasuredScan("sub-01_T1w", TYPICAL, "mriqc-0.15", "T1w")
VOLUME = Volume(torch.ones(4, 5, 6), np.eye(4), "T1w")


def test_scores_of_a_file_have_unit_direction_and_percentile() -> None:
    scores = {score.name: score for score in scores_of_file(SCAN)}
    assert list(scores) == list(MEASURES)
    assert (scores["cjv"].better, scores["fwhm_x"].unit) == ("lower", "voxels")
    for name in ("cjv", "snr_wm", "efc"):
        asked = percentile(name, TYPICAL[name], definition="mriqc-0.15", contrast="T1w")
        assert scores[name].percentile == asked
    place = scores["size_x"].percentile
    assert place is not None
    assert "how a scan was taken" in (place.why_missing or "")


def test_what_mriqc_could_not_compute_is_missing() -> None:
    values = {**TYPICAL, "fber": -1.0, "qi_2": 0.0, "cjv": None}
    scan = dataclasses.replace(SCAN, measures=values)
    scores = {score.name: score for score in scores_of_file(scan)}
    assert scores["cjv"].why_missing == "the file holds no value"
    for name in ("fber", "qi_2"):
        assert scores[name].value is None
        assert "MRIQC" in (scores[name].why_missing or "")


def test_ratings_only_where_the_model_knows_the_measures() -> None:
    told = ratings(scores_of_file(SCAN), definition="mriqc-0.15", contrast="T1w")
    assert all(isinstance(one, Rating) for one in told)
    others = ratings(scores_of_file(SCAN), definition="corrected", contrast="T1w")
    assert all(isinstance(one, NoRating) and "mriqc-0.15" in one.why_missing for one in others)


def test_unknown_names_are_refused_before_anything_is_read() -> None:
    with pytest.raises(UnknownName, match="'abide'"):
        measured("no_such.nii", population="abid")
    with pytest.raises(UnknownName, match="population"):
        scores_of_file(SCAN, population="x")


def test_a_volume_on_the_grid_is_taken_as_it_is() -> None:
    assert on_grid(VOLUME, VOLUME, "the mask") is VOLUME
    nearly = dataclasses.replace(VOLUME, affine=VOLUME.affine + 1e-5)
    assert on_grid(nearly, VOLUME, "the mask") is nearly


def test_what_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    smaller = Volume(torch.ones(4, 5, 5), np.eye(4))
    with pytest.raises(BadVolume, match=r"the mask \(4, 5, 5\) is not on the scan's grid"):
        on_grid(smaller, VOLUME, "the mask")
    affine = np.diag([1.0, 1.0, 1.5, 1.0])
    with pytest.raises(BadVolume, match="lies elsewhere than the scan"):
        on_grid(dataclasses.replace(VOLUME, affine=affine), VOLUME, "the mask")
    (tmp_path / "text.nii").write_text("no image")
    with pytest.raises(BadVolume, match="the mask cannot be used"):
        on_grid(tmp_path / "text.nii", VOLUME, "the mask")
    with pytest.raises(BadVolume, match="the mask is empty"):
        mask_of(dataclasses.replace(VOLUME, data=VOLUME.data * 0), VOLUME, "the mask")


def test_a_file_of_one_value_may_be_a_mask_and_nothing_else(tmp_path: Path) -> None:
    every = write(dataclasses.replace(VOLUME, data=VOLUME.data * 0 + 1), tmp_path / "every.nii")
    assert bool(mask_of(every, VOLUME, "the mask").all())
    none = write(dataclasses.replace(VOLUME, data=VOLUME.data * 0), tmp_path / "none.nii")
    with pytest.raises(BadVolume, match="the mask is empty"):
        mask_of(none, VOLUME, "the mask")
    with pytest.raises(BadVolume, match="the reference cannot be used: constant image"):
        on_grid(every, VOLUME, "the reference")
