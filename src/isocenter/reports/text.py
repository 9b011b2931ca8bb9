"""Words and small pieces of text that the command line and every report share."""

from __future__ import annotations

from collections.abc import Sequence

from isocenter.data.scores import LEVELS, Finding, QualityReport, SliceRange

__all__ = [
    "NOT_FOR_DIAGNOSIS",
    "interval",
    "level",
    "notes",
    "number",
    "one_line",
    "size",
    "slices",
    "tone",
    "valid",
    "worth_telling",
]

NOT_FOR_DIAGNOSIS = "Research use only. Not for diagnosis."
WORTH_TELLING = 0.2
"""An artifact less probable than this is not mentioned on the terminal."""
TONES = {"good": "good", "acceptable": "fair", "poor": "poor"}
"""How a verdict is coloured, by its first word."""


def level(finding: Finding) -> str:
    """The word for a finding's level."""
    return LEVELS[min(max(finding.level, 1), len(LEVELS)) - 1]


def slices(ranges: Sequence[SliceRange], limit: int = 2) -> str:
    """Ranges as in ``axial 88-97, coronal 12``; at most ``limit`` of them.

    >>> slices([SliceRange("axial", 88, 97), SliceRange("coronal", 12, 12)])
    'axial 88-97, coronal 12'
    """
    return ", ".join(
        f"{one.plane} {one.first}" + (f"-{one.last}" if one.last != one.first else "")
        for one in ranges[:limit]
    )


def interval(bounds: tuple[float, float]) -> str:
    """Bounds of a quality as in ``55-68``."""
    return f"{bounds[0]:.0f}-{bounds[1]:.0f}"


def size(spacing: Sequence[float]) -> str:
    """Voxel size as in ``1.0 x 1.0 x 1.2 mm``."""
    return " x ".join(number(mm) for mm in spacing) + " mm"


def number(value: float) -> str:
    """A length with as many digits as it needs: at least one, at most two.

    >>> number(1.0), number(0.875), number(12.5)
    ('1.0', '0.88', '12.5')
    """
    text = f"{value:.2f}"
    return text[:-1] if text.endswith("0") else text


def worth_telling(report: QualityReport) -> tuple[Finding, ...]:
    """The artifacts that a reader should hear of, most probable first."""
    return tuple(one for one in report.artifacts if one.probability >= WORTH_TELLING)


def tone(report: QualityReport) -> str:
    """How a report looks: ``good``, ``fair``, ``poor``, or ``none`` without a trusted score."""
    if report.score is None or not report.domain.in_domain:
        return "none"
    return TONES.get(report.verdict.split(":")[0], "none")


def notes(report: QualityReport) -> tuple[str, ...]:
    """What a reader must see, each sentence once; why a scan is outside is told elsewhere."""
    outside = report.domain.reason
    told = dict.fromkeys((*report.notes, *report.scan.warnings))
    return tuple(note for note in told if outside is None or outside not in note)


def valid(text: str) -> str:
    """Text that UTF-8 can hold: file names may carry bytes that are no characters.

    >>> valid("scan" + chr(0xDCFF))
    'scan\\\\udcff'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def one_line(text: str) -> str:
    r"""Text that cannot break a line, or command a terminal.

    >>> one_line("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
