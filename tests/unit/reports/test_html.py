"""The page loads nothing, runs nothing, and escapes what it shows."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re

import pytest

from isocenter.data.scores import Domain
from isocenter.reports import _draw, text
from isocenter.reports.html import page
from tests.unit.reports.made import NO_QUALITY, made_report, opinions
from tests.unit.reports.test_json import series_of

EVIL = [
    "<script>alert(1)</script>.nii.gz",
    '"onload="alert(1).nii.gz',
    "two\nlines.nii.gz",
    "é\U0001f9e0.nii.gz",
    "byte\udcff.nii.gz",
    "{{ 7 * 7 }}.nii.gz",
    "&lt;b&gt;.nii.gz",
    "n" * 248 + ".nii.gz",
]


class Outline(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_text_and_nothing_else(name: str) -> None:
    plain, odd = Outline(page([made_report()])), Outline(page([made_report(name)]))
    assert odd.tags == plain.tags
    assert [a[:2] for a in odd.attributes] == [a[:2] for a in plain.attributes]
    assert text.valid(name) in odd.text


@pytest.mark.parametrize("field", ["verdict", "notes"])
def test_every_sentence_is_escaped(field: str) -> None:
    evil = "<img src=x onerror=alert(1)>"
    made = page([made_report(**{field: evil if field == "verdict" else (evil,)})])
    assert evil not in made
    assert "&lt;img src=x" in made


def test_nothing_is_loaded_and_nothing_runs() -> None:
    outline = Outline(page([made_report(), made_report("other.nii.gz")]))
    assert "script" not in outline.tags
    assert "link" not in outline.tags
    for _, name, value in outline.attributes:
        assert not name.startswith("on")
        assert name != "style"  # the policy would block it
        if name in ("src", "href"):
            assert value.startswith(("data:image/png;base64,", "#"))


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    made = page([made_report()])
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', made)
    assert style
    assert policy
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_what_must_be_said_is_said() -> None:
    report = made_report()
    shown = Outline(page([report])).text
    for words in (
        "sub-01_T1w.nii.gz", "62", "55–68", report.verdict, "motion", "0.83", "strong",
        "axial 88-97", *report.notes, *report.scan.warnings, report.provenance.model_sha256,
        str(report.scan.sha256), text.NOT_FOR_DIAGNOSIS, "int16", "LPS",
    ):  # fmt: skip
        assert words in shown
    assert Outline(page([report])).tags.count("img") == len(report.views)


def test_without_a_score_there_is_a_reason_and_no_number() -> None:
    report = made_report(scores=(NO_QUALITY,), domain=Domain(False, 9.0, 3.0, "a phantom"))
    shown = Outline(page([report])).text
    assert "Unlike the scans that the model knows: a phantom." in shown
    assert 'class="mark"' not in page([report])


def test_a_score_that_is_missing_for_another_reason_says_so() -> None:
    shown = Outline(page([made_report(scores=(NO_QUALITY,))])).text
    assert "constant image: no score" in shown
    assert "Unlike" not in shown


def test_several_scans_share_one_page() -> None:
    made = page([made_report("a.nii.gz"), made_report("b.nii.gz")])
    assert 'href="#scan-2"' in made
    assert 'id="scan-2"' in made
    assert "2 scans" in made


def test_models_that_differ_are_marked() -> None:
    made = page([made_report(opinions=opinions())])
    shown = Outline(made).text
    for opinion in opinions():
        assert opinion.says in shown
    assert made.count('class="differs"') == 1
    assert "What each model says" not in page([made_report()])


def test_volumes_are_drawn() -> None:
    made = page([made_report()], series_of(80.0, 20.0, None, 50.0))
    assert "The lowest quality is 20, in volume 1." in made
    assert made.count("<title>volume") == 3


def test_a_bare_report_has_a_page() -> None:
    made = page([made_report(artifacts=(), strips=(), views=(), notes=(), scores=(NO_QUALITY,))])
    assert "None were looked for." in made


def test_strip_bars_cover_the_slices_with_a_value() -> None:
    strip = made_report().strips[0]
    bars, gaps = _draw.strip_bars(strip), _draw.strip_gaps(strip)
    assert len(bars) + sum(gap.width for gap in gaps) == len(strip.severity)
    assert {bar.grade for bar in bars} == {0, 1, 2, 3, 4}
    assert all(0 <= bar.top <= bar.top + bar.height <= _draw.HEIGHT + 0.01 for bar in bars)
