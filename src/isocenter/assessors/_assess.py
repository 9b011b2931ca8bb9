"""``assess``: judge a scan and say everything that was found out about it."""

import hashlib
import json
import time
from dataclasses import fields
from pathlib import Path
from typing import Literal

import torch

from isocenter.assessors import hsfnet
from isocenter.assessors._asked import Answer, Model, ask, model_of
from isocenter.assessors._views import views_of
from isocenter.assessors.ensemble import Ensemble
from isocenter.data.device import usable_device
from isocenter.data.io import read
from isocenter.data.plain import with_tuples
from isocenter.data.process import peak_rss
from isocenter.data.scores import LEVELS, Finding, Provenance, QualityReport, ScanFacts, Score
from isocenter.data.volume import Volume
from isocenter.errors import BadVolume
from isocenter.ops.regions import head_mask, head_scale
from isocenter.version import __version__

__all__ = ["assess"]

Definition = Literal["corrected", "mriqc-0.15", "mriqc-24"]
"""That of :mod:`isocenter.measures`, whose import would delay every assessment."""

FAST = ("gmsd", "hfen", "nmse", "psnr", "ssim")
"""Metrics against a reference that take about a second on a whole head."""

SLIGHT, MODERATE = 0.35, 0.65
"""Severities below which an artifact is slight, or moderate."""
HIGH_QUALITY = 75.0
"""From here on no scan is called poor: number and word would contradict each other."""


def assess(
    scan: Volume | Path | str,
    *,
    reference: Volume | Path | str | None = None,
    measures: bool | Definition = False,
    model: str = "hsfnet",
    device: str = "auto",
) -> QualityReport:
    """Judge how good a scan is and what is wrong with it.

    Args:
        scan: A scan, or the path of one.
        reference: The same scan undamaged, on the same grid: adds PSNR, SSIM, NMSE, GMSD
            and HFEN inside its head.
        measures: Adds the measures of :func:`isocenter.measure`, which take several seconds:
            ``True`` for those of the definition ``"corrected"``, or a definition's name.
        model: A shipped model's name (``"hsfnet"``: artifacts and quality; ``"miqanet"``: quality
            alone; ``"hysnet"``: an estimate of the SNR and no quality; ``"ensemble"``: all
            three, and where they differ), or the path of a ``.safetensors`` checkpoint.
        device: ``"auto"`` (CUDA where there is one, else CPU), ``"cpu"``, ``"cuda"``, ...

    Returns:
        Quality from 0 to 100 with a 90 % interval, artifacts with probability, level and
        place, severity slice by slice, pictures, and what made the report.

    Raises:
        BadVolume: The scan cannot be read or judged, or the reference is on another grid.
        UnknownName: No such model or definition.
        UsageError: No such device.
        BadCheckpoint: Missing or damaged weights.
    """
    began = time.monotonic()
    volume = scan if isinstance(scan, Volume) else read(scan)
    _check(volume)
    asked = model_of(model, usable_device(device))
    answer = ask(asked, volume)
    compared = () if reference is None else _against(volume, reference)
    definition: Definition | None = "corrected" if measures is True else measures or None
    told = () if definition is None else _measured(volume, definition)
    facts = _facts(volume)
    return QualityReport(
        subject=_subject(facts.name),
        verdict=_verdict(answer),
        scores=(answer.quality, *answer.others, *compared, *told),
        artifacts=answer.findings,
        strips=answer.strips,
        views=views_of(volume, answer.head, answer.worst),
        domain=answer.domain,
        scan=facts,
        history=volume.history,
        provenance=_provenance(asked, definition, began),
        notes=(*_notes(volume, answer.domain.reason), *answer.notes),
        opinions=answer.opinions,
    )


def _check(volume: Volume) -> None:
    """Refuse what no network can judge; readers refuse the same earlier, with file facts."""
    if not torch.isfinite(volume.data).all():
        raise BadVolume("the scan holds values that are not finite; set them to 0 first")
    if float(volume.data.min()) == float(volume.data.max()):
        raise BadVolume("constant image: no score")
    if sum(side > 1 for side in volume.shape) < 2:
        raise BadVolume(f"a scan needs at least two axes; got {volume.shape}")


def _verdict(answer: Answer) -> str:
    """One short sentence: how usable, and the main reason."""
    if answer.domain.reason is not None:
        return "no score: unlike the scans that the model knows"
    if not answer.findings:
        return "no verdict: this model names no artifacts"
    found = [finding for finding in answer.findings if finding.probability >= 0.5]
    if not found:
        return "good: no artifact found"
    return _verdict_of(max(found, key=lambda finding: finding.severity), answer.quality.value)


def _verdict_of(worst: Finding, quality: float | None) -> str:
    if worst.severity < SLIGHT:
        return f"good: slight {worst.name}"
    if worst.severity < MODERATE:
        return f"acceptable: review suggested ({worst.name})"
    if quality is not None and quality >= HIGH_QUALITY:
        word = LEVELS[worst.level - 1]
        return f"acceptable: review suggested ({word} {worst.name}, quality high all the same)"
    return f"poor: {worst.name} likely to disturb measurements"


def _against(volume: Volume, reference: Volume | Path | str) -> tuple[Score, ...]:
    """Full-reference metrics inside the reference's head, in units of its brightness."""
    from isocenter.assessors._metrics import metrics
    from isocenter.data.grids import on_grid

    truth = on_grid(reference, volume, "the reference")
    mask = head_mask(truth.data)
    scale = head_scale(truth.data, mask)
    return metrics(volume, FAST, reference=truth, data_range=scale, mask=mask).scores


def _measured(volume: Volume, definition: Definition) -> tuple[Score, ...]:
    from isocenter.assessors._measured import measured

    return measured(volume, definition=definition)


def _facts(volume: Volume) -> ScanFacts:
    """What the file said; for a scan from memory, what the array says."""
    if volume.origin is None:
        return ScanFacts(
            "scan", None, None, volume.shape, volume.spacing, "float32", "RAS", volume.contrast
        )
    said = with_tuples(volume.origin.params)
    return ScanFacts(**{field.name: said[field.name] for field in fields(ScanFacts)})


def _subject(name: str) -> str:
    for ending in (".nii.gz", ".img.gz", ".hdr.gz"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem or name


def _notes(volume: Volume, outside: str | None) -> tuple[str, ...]:
    notes = []
    if outside is not None:
        notes.append(
            f"unlike the scans that the model knows ({outside}): do not trust the findings"
        )
    if float((volume.data == 0).float().mean()) > 0.2:
        notes.append("background is exactly zero (defaced, stripped or masked scan)")
    return tuple(notes)


def _provenance(model: Model, definition: Definition | None, began: float) -> Provenance:
    checkpoint = model.checkpoint
    choices = {
        "calibration": checkpoint.calibration,
        "preprocess": checkpoint.preprocess,
        "slabs": hsfnet.N_SLABS,
        "version": __version__,
        **({} if definition is None else {"measures": definition}),
    }
    text = json.dumps(choices, sort_keys=True)
    sha256 = model.sha256 if isinstance(model, Ensemble) else checkpoint.sha256
    return Provenance(
        isocenter=__version__,
        model=str(checkpoint.card.get("name", checkpoint.net)),
        model_sha256=sha256 or "",
        params_sha256=hashlib.sha256(text.encode()).hexdigest(),
        device=model.device,
        seconds=time.monotonic() - began,
        peak_rss=peak_rss(),
        measures=definition,
    )
