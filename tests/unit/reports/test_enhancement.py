"""What is said about an enhanced scan: never NaN, a reason for every null, and the warning."""

from __future__ import annotations

import json
import math

import pytest

from isocenter.reports.enhancement import check_document, document, flag_text, page, shown
from isocenter.reports.json import dump
from tests.unit.reports.made import facts
from tests.unit.reports.made_enhancement import made_checks, made_enhancement
from tests.unit.reports.test_html import EVIL, Outline

OUTPUTS = {"image": "thin.nii.gz", "page": "thin.html"}


def nulls(value: object, place: str = "") -> list[tuple[str, object]]:
    """Every null with the reasons that stand beside it."""
    if isinstance(value, list):
        return [one for item in value for one in nulls(item, place)]
    if not isinstance(value, dict):
        return []
    reasons = value.get("reason_if_null", {})
    here = [(f"{place}.{key}", reasons.get(key)) for key, one in value.items() if one is None]
    return here + [one for key, item in value.items() for one in nulls(item, f"{place}.{key}")]


def test_every_null_has_a_reason_and_every_number_is_finite() -> None:
    for report in (made_enhancement(), made_enhancement(quality=None, facts={"ratio": 5})):
        made = json.loads(dump(document(report, OUTPUTS)))
        made["options"] = {}  # what was asked: a null there is a choice
        assert [place for place, why in nulls(made) if not why] == []


def test_the_document_says_what_was_done_and_found() -> None:
    made = document(made_enhancement(), OUTPUTS)
    assert made["warning"] == "research use, not for diagnosis: may hide or invent lesions"
    assert made["outputs"] == OUTPUTS
    checks = made["checks"]
    assert isinstance(checks, dict)
    assert checks["mean_square"] == pytest.approx(1.0423)
    assert [flag["kind"] for flag in checks["flags"]] == ["changed", "inconsistent"]  # type: ignore[index, union-attr, call-overload]
    assert checks["reason_if_null"]["snr_wm"] == "no brain was found"  # type: ignore[index, call-overload]
    quality = made["quality"]
    assert isinstance(quality, dict)
    assert quality["scan"]["value"] == pytest.approx(62.345, abs=1e-3)  # type: ignore[index, call-overload]


def test_a_check_of_another_program_has_a_document_of_its_own() -> None:
    made = check_document(made_checks(), enhanced=facts("a.nii"), scan=facts("b.nii"), notes=("n",))
    assert json.loads(dump(made))["enhanced"]["name"] == "a.nii"
    assert [place for place, why in nulls(made) if not why] == []


def test_the_page_warns_first_and_shows_all_pictures() -> None:
    made = page(made_enhancement())
    text = Outline(made.split("<body>")[1]).text
    assert text.index("not for diagnosis: may hide or invent lesions") < text.index("low_T2w")
    assert "1 region (slice 41) changed more than the uncertainty allows" in text
    assert "no noise" in text
    assert "38 %" in text
    assert "1.7 times what its uncertainty allows" in text
    assert made.count('class="shown"') == 2
    assert "<script" not in made


def test_the_page_of_a_method_without_doubt_says_so() -> None:
    plain = made_enhancement(
        has_deviation=False, quality=None, checks=made_checks(flags=(), warnings=()), notes=()
    )
    text = Outline(page(plain)).text
    assert "do not read detail where it is bright" not in text
    assert "No region stands out." in text


@pytest.mark.parametrize("name", EVIL)
def test_a_name_is_text_and_nothing_else(name: str) -> None:
    plain, odd = Outline(page(made_enhancement())), Outline(page(made_enhancement(name)))
    assert odd.tags == plain.tags
    assert [a[:2] for a in odd.attributes] == [a[:2] for a in plain.attributes]


def test_numbers_and_regions_in_words() -> None:
    checks = made_checks()
    assert [shown(one) for one in checks.measures] == [
        "1.04", "38 %", "2 %", "18.4", "none", "none", "none"
    ]  # fmt: skip
    changed, inconsistent = map(flag_text, checks.flags)
    assert changed.startswith("slice 41, 400 voxels around (12, -3, 44) mm")
    assert "4.2 standard deviations" in inconsistent
    assert not any(math.isnan(flag.peak) for flag in checks.flags)
