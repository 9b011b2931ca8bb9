"""A quality report made by hand, with every kind of field filled."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from isocenter.data.scores import (
    Domain,
    Finding,
    Opinion,
    Provenance,
    QualityReport,
    ScanFacts,
    Score,
    SliceRange,
    Strip,
    View,
)
from isocenter.data.step import Step
from isocenter.study.find import subject_of

QUALITY = Score("quality", 62.3449, None, "higher", 0.0, 100.0, (55.02, 68.4))
NO_QUALITY = Score("quality", None, None, "higher", 0.0, 100.0, None, "constant image: no score")


def made_report(name: str = "sub-01_T1w.nii.gz", **changes: object) -> QualityReport:
    """A scan with moderate motion; ``changes`` replace whole fields."""
    report = QualityReport(
        subject=subject_of(Path(name)),
        verdict="acceptable: review suggested",
        scores=(
            QUALITY,
            Score("snr", 21.437, None, "higher", 0.0, math.inf),
            Score("fwhm", None, "mm", "lower", 0.0, 100.0, None, "no air around the head"),
        ),
        artifacts=findings(),
        strips=strips(),
        views=views(),
        domain=Domain(True, 1.25, 3.0),
        scan=facts(name),
        history=(Step("read", {"name": name}), Step("motion", {"level": 3, "angle": 2.5}, 7)),
        provenance=Provenance("0.1.0", "hsfnet", "a1" * 32, "b2" * 32, "cpu", 1.91, 734_003_200),
        notes=("background is exactly zero (defaced?): air-noise measures left out",),
    )
    return replace(report, **changes)  # type: ignore[arg-type]


def opinions() -> tuple[Opinion, ...]:
    """Three models, of which one differs."""
    good = Score("quality", 83.1, None, "higher", 0.0, 100.0, (75.2, 90.0))
    noisy = Score("snr", 7.25, None, "higher", 0.0, math.inf, (6.1, 8.4))
    return (
        Opinion("hsfnet", "a1" * 32, QUALITY, None, "moderate motion"),
        Opinion("miqanet", "d4" * 32, good, False, "better than hsfnet says"),
        Opinion("hysnet", "e5" * 32, noisy, True, "as noisy as hsfnet says"),
    )


def findings() -> tuple[Finding, ...]:
    worst = (SliceRange("axial", 88, 97), SliceRange("coronal", 12, 12))
    return (
        Finding("motion", 0.8312, 3, 0.6, worst),
        Finding("noise", 0.31, 1, 0.1),
        Finding("ghosting", 0.08, 2, 0.03),
        Finding("bias", 0.04, 1, 0.01),
        Finding("blur", 0.02, 1, 0.0),
        Finding("spike", 0.001, 4, 0.0),
    )


def strips() -> tuple[Strip, ...]:
    return tuple(
        Strip(plane, severity(n, centre))
        for plane, n, centre in (("sagittal", 176, 60), ("coronal", 240, 150), ("axial", 200, 92))
    )


def severity(n: int, centre: int) -> tuple[float | None, ...]:
    index = np.arange(n)
    values = 0.12 + 0.85 * np.exp(-(((index - centre) / 14) ** 2)) + 0.03 * np.sin(index)
    inside = (index > 0.1 * n) & (index < 0.9 * n)
    return tuple(float(v) if ok else None for v, ok in zip(values, inside, strict=True))


def views() -> tuple[View, ...]:
    worst = [
        View(f"axial {i}, among the worst", png(1.2 - i / 99), "axial", i, True)
        for i in (88, 92, 96)
    ]
    planes = [
        View(f"{plane} {index}", png(0.7), plane, index)
        for plane, index in (("sagittal", 88), ("coronal", 120), ("axial", 100))
    ]
    return (*worst, *planes)


def png(brightness: float) -> bytes:
    """A bright ellipse with rings on black, 8-bit grey."""
    y, x = np.mgrid[-1:1:200j, -1:1:160j]
    radius = np.hypot(x / 0.8, y / 0.9)
    picture = (radius < 1) * (120 + 60 * np.cos(9 * radius) + 20 * np.sin(25 * y)) * brightness
    buffer = io.BytesIO()
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def facts(name: str) -> ScanFacts:
    return ScanFacts(
        name=name,
        sha256="c3" * 32,
        format="NIfTI-1",
        shape=(176, 240, 200),
        spacing=(1.0, 1.0, 1.2),
        dtype="int16",
        orientation="LPS",
        contrast="T1w",
        warnings=("the name says gzip and the content is not: read as it is",),
    )
