"""The page in a real browser: it shows what it should, and asks nobody for anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import isocenter as iso
from tests.unit.reports.made import made_report
from tests.unit.reports.test_measures import SCORES, measured_report

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-extensions", "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium"),
    pytest.mark.timeout(180),
]


def open_in_browser(page: Path, folder: Path, *flags: str) -> str:
    """The document as the browser understood it."""
    home = folder / "browser"
    command = [str(BROWSER), *QUIET, f"--user-data-dir={home}", *flags, page.as_uri()]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(home)}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    evil = made_report("<img src=http://127.0.0.1:9/x onerror=document.title=1>.nii.gz")
    return iso.report([made_report(), evil], to=tmp_path / "page.html")


def test_the_browser_shows_what_the_page_says(page: Path, tmp_path: Path) -> None:
    document = open_in_browser(page, tmp_path, "--dump-dom")
    assert "<h1>sub-01_T1w.nii.gz</h1>" in document
    assert "<h1>&lt;img src=http" in document  # the name stayed text
    assert document.count("<article") == 2
    assert len(re.findall(r"<img ", document)) == 12
    assert "Not for diagnosis" in document
    assert "<title>sub-01_T1w.nii.gz and 1 more" in document  # no script changed it


def test_the_page_asks_nobody_for_anything(page: Path, tmp_path: Path) -> None:
    greedy = tmp_path / "greedy.html"
    greedy.write_text('<!doctype html><img src="http://127.0.0.1:9/x.png">')
    assert requests(greedy, tmp_path) == 1  # the log would show it
    assert requests(page, tmp_path) == 0


def test_measures_stand_on_the_page_with_their_place_among_others(tmp_path: Path) -> None:
    page = iso.report(measured_report(*SCORES), to=tmp_path / "measures.html")
    document = open_in_browser(page, tmp_path, "--dump-dom")
    text = " ".join(re.sub(r"<[^>]+>", " ", document).split())
    assert "cjv 0.9000" in text
    assert "> 99th" in text.replace("&gt;", ">")
    assert "Percentiles among 1101 scans of abide." in text
    assert document.count('class="middle"') == 3
    assert requests(page, tmp_path) == 0


def requests(page: Path, folder: Path) -> int:
    """How many requests the page (not the browser on its own behalf) made."""
    log = folder / f"{page.stem}.net.json"
    open_in_browser(page, folder, f"--log-net-log={log}", "--dump-dom")
    return log.read_text().count('"network_isolation_key":"file://')


def test_the_style_is_not_blocked_by_the_policy(page: Path, tmp_path: Path) -> None:
    """A blocked style would leave the page unstyled: the picture would be small and white."""
    narrow, dark = tmp_path / "narrow.png", tmp_path / "dark.png"
    open_in_browser(page, tmp_path, f"--screenshot={narrow}", "--window-size=500,900")
    open_in_browser(
        page, tmp_path, f"--screenshot={dark}", "--window-size=500,900", "--force-dark-mode"
    )
    light_corner, dark_corner = corner(narrow), corner(dark)
    assert light_corner == (246, 246, 243)
    assert sum(dark_corner) < 120


def corner(picture: Path) -> tuple[int, int, int]:
    from PIL import Image

    red, green, blue = Image.open(picture).convert("RGB").getpixel((2, 2))  # type: ignore[misc]
    return red, green, blue
