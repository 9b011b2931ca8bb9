"""The sentence about a scan agrees with its number and with what was found."""

from __future__ import annotations

import pytest
import torch

from isocenter.assessors._asked import Answer
from isocenter.assessors._assess import _verdict
from isocenter.data.scores import Domain, Finding, Score
from isocenter.ops.slabs import Head

HEAD = Head(torch.ones(2, 2, 2, dtype=torch.bool), 1.0, (0, 0, 0), (1, 1, 1), (), ())


def answer(quality: float, *findings: Finding, reason: str | None = None) -> Answer:
    return Answer(
        quality=Score("quality", quality, None, "higher", 0.0, 100.0),
        findings=findings,
        strips=(),
        worst=(),
        head=HEAD,
        domain=Domain(reason is None, 0.0, 1.0, reason),
    )


def motion(severity: float, probability: float = 0.9) -> Finding:
    return Finding("motion", probability, max(1, round(4 * severity)), severity)


NOISE = Finding("noise", 0.95, 1, 0.2)
DOUBTFUL = motion(0.9, probability=0.4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (answer(98.0, DOUBTFUL), "good: no artifact found"),
        (answer(90.0, motion(0.3)), "good: slight motion"),
        (answer(60.0, motion(0.5)), "acceptable: review suggested (motion)"),
        (answer(40.0, NOISE, motion(0.8)), "poor: motion likely to disturb measurements"),
        (
            answer(83.0, NOISE, motion(0.8)),
            "acceptable: review suggested (strong motion, quality high all the same)",
        ),
        (answer(50.0), "no verdict: this model names no artifacts"),
        (answer(90.0, NOISE, reason="a spine"), "no score: unlike the scans that the model knows"),
    ],
)
def test_the_verdict_follows_severity_and_quality(asked: Answer, said: str) -> None:
    assert _verdict(asked) == said
