"""A report of an enhanced scan made by hand, with every kind of field filled."""

from __future__ import annotations

from dataclasses import replace

from isocenter.data.enhancement import (
    CheckReport,
    ColourScale,
    EnhancementReport,
    Flag,
    Measure,
    Picture,
    PictureRow,
)
from tests.unit.reports.made import facts, made_report

PNG = b"\x89PNG\r\n\x1a\n"


def made_checks(**changes: object) -> CheckReport:
    """Two flags, one number that is missing."""
    checks = CheckReport(
        measures=(
            Measure("mean_square", 1.0423, "1 when noise alone is left"),
            Measure("null_share", 0.3817, "was learned"),
            Measure("null_share_of_interpolated", 0.021, "the same"),
            Measure("sigma", 18.4, "noise"),
            Measure("snr_wm", None, "white matter", "no brain was found"),
            Measure("snr_gm", None, "grey matter", "no brain was found"),
            Measure("prior_distance", None, "far", "no brain was found"),
        ),
        flags=(
            Flag("changed", 400, (12.4, -3.0, 44.0), 41, 1.74),
            Flag("inconsistent", 14, (0.0, 5.5, 10.0), 7, -4.2),
        ),
        in_prior=None,
        warnings=("1 region (slice 41) changed more than the uncertainty allows",),
        missing={"snr": "no brain was found", "prior_distance": "no brain was found"},
        assumed={"thickness": 0.75, "noise_from": "the air", "knots": [1, 2]},
    )
    return replace(checks, **changes)  # type: ignore[arg-type]


def made_enhancement(name: str = "low_T2w.nii.gz", **changes: object) -> EnhancementReport:
    """A scan of thick slices by the network; ``changes`` replace whole fields."""
    scale = ColourScale(PNG, "0", "12 % of the head's brightness")
    report = EnhancementReport(
        subject=name,
        scan=facts(name),
        method="siqt",
        options={"ratio": 0, "axis": None, "members": 4, "max_memory": 2.0},
        ratio=5,
        plane="axial",
        thickness=3.75,
        shape=(200, 220, 150),
        spacing=(1.0, 1.0, 1.0),
        facts={
            "ratio": 5, "axis": 2, "members": 4, "tile": [64, 64, 16], "n_tiles": 12,
            "weights": "siqt", "weights_sha256": "ab" * 32, "device": "cpu", "level": 0.9,
            "notes": [],
        },
        checks=made_checks(),
        rows=(
            PictureRow(
                "axial, slice 75",
                (
                    Picture("scan, as acquired", PNG),
                    Picture("standard deviation", PNG, scale=scale),
                    Picture("disagreement (z)", None, "no noise"),
                ),
            ),
        ),
        quality=(made_report(name), made_report(name)),
        seed=7,
        device="cpu",
        seconds=48.217,
        peak_rss=1_400_000_000,
        versions={"isocenter": "0.1.0", "torch": "2.13.0"},
        has_deviation=True,
        notes=("the scan did not fit into memory at once: smaller tiles were taken",),
    )  # fmt: skip
    return replace(report, **changes)  # type: ignore[arg-type]
