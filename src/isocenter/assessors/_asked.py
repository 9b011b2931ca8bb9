"""Which models are asked about a scan, and what their answers make together.

HSFNet is asked in any case: it alone knows whether a scan is one that can be judged.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from isocenter import registry
from isocenter.assessors import hsfnet, hysnet, miqanet
from isocenter.assessors._domain import domain_of
from isocenter.assessors.ensemble import Ensemble, combined
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.scores import LEVELS, Domain, Finding, Opinion, Score, Strip
from isocenter.data.volume import Volume
from isocenter.errors import BadCheckpoint, UnknownName
from isocenter.ops.slabs import Head

__all__ = ["Answer", "Model", "ask", "model_of"]

Model: TypeAlias = hsfnet.Assessor | miqanet.Assessor | hysnet.Assessor | Ensemble

ASSESSORS: dict[str, Callable[[Checkpoint, str], Model]] = {
    "hsfnet": hsfnet.Assessor,
    "hysnet": hysnet.Assessor,
    "miqanet": miqanet.Assessor,
}
IN_FOLDER = "model.safetensors"
"""The model of a run's folder, and of ``isocenter models export``."""
SURE, UNLIKELY = 0.5, 0.2
"""Probabilities of noise from which HSFNet says it is there, and below which it is not."""


@dataclass(frozen=True)
class Answer:
    """What the models said of a scan."""

    quality: Score
    findings: tuple[Finding, ...]
    strips: tuple[Strip, ...]
    worst: tuple[tuple[int, int], ...]
    """(axis, index) of slices to show."""
    head: Head
    domain: Domain
    others: tuple[Score, ...] = ()
    """Estimates of other quantities than quality."""
    opinions: tuple[Opinion, ...] = ()
    notes: tuple[str, ...] = ()


def model_of(name: str, device: str) -> Model:
    """A shipped model by name, or that of a ``.safetensors`` file or of a folder that holds one.

    Raises:
        UnknownName: No such model.
        BadCheckpoint: Missing or damaged weights, or those of another kind of network.
    """
    if name in registry.models.names():
        shipped: Model = registry.models.get(name).shipped(device)
        return shipped
    path = Path(name) / IN_FOLDER if Path(name).is_dir() else Path(name)
    if path.suffix != ".safetensors":
        raise UnknownName("model", name, registry.models.names())
    checkpoint = Checkpoint.load(path)
    if checkpoint.net not in ASSESSORS:
        known = ", ".join(sorted(ASSESSORS))
        raise BadCheckpoint(f"{name} holds the network {checkpoint.net!r}; known are {known}")
    return ASSESSORS[checkpoint.net](checkpoint, device)


def ask(model: Model, volume: Volume) -> Answer:
    """Ask a model about a scan."""
    if isinstance(model, hsfnet.Assessor):
        return _first_answer(model, volume)
    if isinstance(model, Ensemble):
        return _together(model, volume)
    known = _first_answer(hsfnet.shipped(model.device), volume)
    alone = replace(known, findings=(), strips=(), worst=())
    if isinstance(model, miqanet.Assessor):
        judged = model.judge(volume)
        return replace(
            alone,
            quality=_quality(judged.quality, judged.interval, known.domain),
            worst=tuple((hsfnet.PLANES.index(one.plane), one.index) for one in judged.worst),
        )
    why = "hysnet estimates the signal-to-noise ratio and no quality: ask another model"
    nothing = replace(known.quality, value=None, interval=None, why_missing=why)
    return replace(alone, quality=nothing, others=(_snr(model.judge(volume), known.domain),))


def _first_answer(model: hsfnet.Assessor, volume: Volume) -> Answer:
    raw = model.look(volume)
    judged = model.read(raw)
    domain = domain_of(volume, raw.head, judged.distance)
    quality = _quality(judged.quality, judged.interval, domain)
    return Answer(quality, judged.findings, judged.strips, judged.worst, raw.head, domain)


def _together(model: Ensemble, volume: Volume) -> Answer:
    first = _first_answer(model.hsfnet, volume)
    second, third = model.miqanet.judge(volume), model.hysnet.judge(volume)
    other = _quality(second.quality, second.interval, first.domain)
    snr = _snr(third, first.domain)
    if first.quality.value is None:
        joint = first.quality
    else:
        calibration = model.checkpoint.calibration
        value, interval = combined(first.quality.value, second.quality, calibration)
        joint = replace(first.quality, value=value, interval=interval)
    opinions = (
        _opinion(model.hsfnet.checkpoint, first.quality, None, _in_words(first.findings)),
        _opinion(model.miqanet.checkpoint, other, *compare_qualities(first.quality, other)),
        _opinion(
            model.hysnet.checkpoint,
            snr,
            *compare_noise(first.findings, snr, _clean(model.hysnet.checkpoint)),
        ),
    )
    differing = [one.model for one in opinions if one.agrees is False]
    notes = (f"{' and '.join(differing)} and hsfnet differ: look at the scan",) if differing else ()
    return replace(first, quality=joint, others=(snr,), opinions=opinions, notes=notes)


def compare_qualities(first: Score, other: Score) -> tuple[bool | None, str]:
    """Whether two qualities agree: their 90 % intervals overlap."""
    if first.interval is None or other.interval is None or first.value is None:
        return None, "no quality to compare"
    if other.interval[0] > first.interval[1]:
        return False, "better than hsfnet says"
    if other.interval[1] < first.interval[0]:
        return False, "worse than hsfnet says"
    return True, "agrees with hsfnet"


def compare_noise(
    findings: tuple[Finding, ...], snr: Score, clean: tuple[float, float]
) -> tuple[bool | None, str]:
    """Whether an SNR fits the noise that HSFNet found.

    Args:
        findings: HSFNet's.
        snr: Estimate with its interval.
        clean: 5th and 95th percentile of what the model says of clean scans.
    """
    noise = next((finding for finding in findings if finding.name == "noise"), None)
    if snr.value is None or snr.interval is None or noise is None:
        return None, "no noise to compare"
    low, high = clean
    if snr.interval[1] < low and noise.probability < UNLIKELY:
        return False, f"lower than of clean scans ({low:.1f} to {high:.1f}); hsfnet finds no noise"
    if snr.interval[0] > low and noise.probability >= SURE and noise.level > 1:
        return False, f"as of clean scans ({low:.1f} to {high:.1f}); hsfnet finds noise"
    where = "lower than" if snr.value < low else "higher than" if snr.value > high else "as"
    return True, f"{where} of clean scans ({low:.1f} to {high:.1f})"


def _clean(checkpoint: Checkpoint) -> tuple[float, float]:
    """5th and 95th percentile of what HyS-Net says of clean scans."""
    low, high = checkpoint.calibration["clean"]
    return float(low), float(high)


def _opinion(checkpoint: Checkpoint, score: Score, agrees: bool | None, says: str) -> Opinion:
    name = str(checkpoint.card.get("name", checkpoint.net))
    return Opinion(name, checkpoint.sha256 or "", score, agrees, says)


def _in_words(findings: tuple[Finding, ...]) -> str:
    found = [one for one in findings if one.probability >= SURE]
    told = [f"{LEVELS[one.level - 1]} {one.name}" for one in found]
    return ", ".join(told) or "no artifact found"


def _quality(value: float, interval: tuple[float, float] | None, domain: Domain) -> Score:
    if domain.reason is not None:
        why = f"out of domain: {domain.reason}"
        return Score("quality", None, None, "higher", 0.0, 100.0, None, why)
    return Score("quality", value, None, "higher", 0.0, 100.0, interval)


def _snr(judged: hysnet.Judgement, domain: Domain) -> Score:
    if domain.reason is not None:
        why = f"out of domain: {domain.reason}"
        return Score("snr_estimated", None, None, "higher", 0.0, float("inf"), None, why)
    return Score("snr_estimated", judged.snr, None, "higher", 0.0, float("inf"), judged.interval)
