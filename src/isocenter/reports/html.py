"""The page: one self-contained file, readable on a screen, in the dark and on paper.

It loads nothing: style and pictures are inside, a content security policy forbids the
rest, and there are no scripts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from isocenter.data.scores import QualityReport
from isocenter.reports import _draw, text
from isocenter.reports import measures as tables
from isocenter.reports.series import Series

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["page", "render"]


def page(reports: Sequence[QualityReport], series: Series | None = None) -> str:
    """The page about one scan, or about several side by side.

    Args:
        reports: At least one.
        series: The volumes of a 4-D file, when the one report is of its median volume.
    """
    return render(
        "page.html.j2",
        ("page.css",),
        reports=reports,
        series=series,
        title=_title(reports),
        data_uri=_data_uri,
        draw=_draw,
        tables=tables,
    )


def render(template: str, styles: Sequence[str], **names: object) -> str:
    """A page from a file in ``template/``, which finds its style sheets joined as ``style``."""
    style = "".join(map(_style, styles))
    made = _template(template).render(style=style, style_hash=_csp_hash(style), text=text, **names)
    return text.valid(made.lstrip())


@cache
def _template(name: str) -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("isocenter.reports", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def _style(name: str) -> str:
    from importlib.resources import files

    return files("isocenter.reports").joinpath("template", name).read_text(encoding="utf-8")


def _csp_hash(style: str) -> str:
    """The style's hash as a content security policy wants it."""
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _title(reports: Sequence[QualityReport]) -> str:
    first = reports[0].scan.name
    return first if len(reports) == 1 else f"{first} and {len(reports) - 1} more"
