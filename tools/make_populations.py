"""Make the reference populations of MRIQC measures; same tables, same bytes.

    python tools/make_populations.py DATA

DATA is the folder of real data that the tests call ``ISOCENTER_DATA``; its folder ``tables``
holds ABIDE's measures (Apache-2.0, from mriqc-learn) and those of MR-ART (CC0).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.data.atomic import write_text
from isocenter.datasets.mriqc import MEASURES, MeasuredScan, read_table
from isocenter.datasets.populations import NOT_COMPUTED

TARGET = Path(__file__).parents[1] / "src/isocenter/datasets/populations.json"
LEVELS = (0.5, 1.0, *np.arange(2.5, 100, 2.5).tolist(), 99.0, 99.5)
DEFINITION, CONTRAST = "mriqc-0.15", "T1w"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    text = make(parser.parse_args().data / "tables")
    write_text(TARGET, text)
    print(f"{TARGET.name}  {len(text):,} bytes")


def make(folder: Path) -> str:
    """The file's text."""
    abide = read_table(folder / "abide.tsv", definition=DEFINITION)
    mr_art = read_table(folder / "mr_art_mriqc_group_T1w.tsv", definition=DEFINITION)
    still = [scan for scan in mr_art if "_acq-standard_" in scan.name]
    made = {
        "abide": {
            "title": "ABIDE I, 17 sites, as acquired: 14 % were excluded by a rater",
            "licence": "Apache-2.0",
            "source": "github nipreps/mriqc-learn at 3ede9e9d37be, mriqc_learn/datasets/abide.tsv",
            **_spread(abide),
        },
        "mr-art": {
            "title": "MR-ART, one scanner, people who were asked to lie still",
            "licence": "CC0",
            "source": "OpenNeuro ds004173 at fb45b349f21f, derivatives/mriqc-0.16.1/group_T1w.tsv",
            **_spread(still),
        },
    }
    # One measure per line keeps the file readable and its changes small.
    text = json.dumps(made, indent=1, sort_keys=True)
    return re.sub(r"\[[^]]*\]", lambda found: "".join(found[0].split()), text) + "\n"


def _spread(scans: Sequence[MeasuredScan]) -> dict[str, Any]:
    known = {name: _known(scans, name) for name in MEASURES if _is_of_the_image(name)}
    return {
        "definition": DEFINITION,
        "contrast": CONTRAST,
        "levels": list(LEVELS),
        "n": {name: len(values) for name, values in known.items()},
        "quantiles": {
            name: [float(f"{value:.5g}") for value in np.percentile(values, LEVELS)]
            for name, values in known.items()
        },
    }


def _known(scans: Sequence[MeasuredScan], name: str) -> list[float]:
    values = [scan.measures[name] for scan in scans]
    return [value for value in values if value is not None and value != NOT_COMPUTED.get(name)]


def _is_of_the_image(name: str) -> bool:
    return not name.startswith(("size_", "spacing_"))


if __name__ == "__main__":
    main()
