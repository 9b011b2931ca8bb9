"""Pictures of enhanced scans for the documentation, and what the assessor says of them.

    python tools/enhancement_pictures.py --data DATA --out docs/images [--weights FILE] [--assess]

``enhance-simulated.png``: one sagittal plane of a test person, r = 4, noise of 2 %; above the
truth, cubic splines and the enhanced scan, below the deviation and the errors of both.
``enhance-low-field.png``: a person at 0.055 T, from top to bottom GRE, FSE and FLAIR; a thick
slice, and half way to the next one cubic splines, the enhanced scan and its deviation.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from enhancement_cases import AXIS, Subject, case
from PIL import Image
from torch import Tensor

import isocenter
from isocenter.data.atomic import write_bytes
from isocenter.data.random import generator
from isocenter.data.volume import Volume
from isocenter.datasets.collection import sources
from isocenter.ops.pictures import coloured, picture, strip
from isocenter.ops.regions import head_scale
from isocenter.restorers import reconstruct, siqt
from isocenter.restorers._enhanced import Enhanced

PERSON, RATIO = "brains/sub-08", 4
LOW_FIELD = ("6A", ("GRE", "FSE", "FLAIR"))
BETWEEN = (1, 2)
"""Thick slices; shown is the thin one half way."""
MOST_DOUBT, MOST_ERROR = 0.12, 0.2
"""Over the head's brightness: what is shown brightest."""
FIELD_MM = 250.0
"""Of view; the files say no voxel size, the size of the head says about this."""
GAP = 4
SIDE, N_TONES = 190, 64
"""Of a panel, and of the palette's greys and colours each; both keep a file small."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    write_bytes(options.out / "enhance-low-field.png", _low_field(options))
    write_bytes(options.out / "enhance-simulated.png", _simulated(options))


def _simulated(options: argparse.Namespace) -> bytes:
    source = next(one for one in sources(options.data) if one.person == PERSON)
    subject = Subject(source, "test", options.out, 0)
    given = case(subject, "repeat", RATIO, 0)
    assert given is not None
    made = _enhanced(given.scans[0], options)
    scale, plane = head_scale(subject.truth.data), int(0.44 * subject.truth.shape[0])
    place = made.image.affine
    truth = Volume(given.truth, place, made.image.contrast)
    errors = [
        Volume((one.data - given.truth).abs(), place) for one in (made.interpolated, made.image)
    ]
    rows = [
        [picture(one, scale, 0, plane) for one in (truth, made.interpolated, made.image)],
        [
            coloured(made.deviation, "heat", 0, MOST_DOUBT * scale, 0, plane),
            *(coloured(one, "heat", 0, MOST_ERROR * scale, 0, plane) for one in errors),
        ],
    ]
    return _mosaic(rows)


def _low_field(options: argparse.Namespace) -> bytes:
    person, sequences = LOW_FIELD
    rows = []
    for name in sequences:
        file = options.data / "lowfield" / person / f"0.055T_{name}_kspace_postEMI.mat"
        scan = _scan(reconstruct(isocenter.read_kspace(file), "rss", rng=generator(0)).image.abs())
        made = _enhanced(scan, options)
        scale, here = head_scale(scan.data), BETWEEN[1] * RATIO
        if options.assess:
            print(name, tuple(scan.shape), *_said(scan, made))
        rows.append(
            [
                picture(scan, scale, AXIS, BETWEEN[0]),
                picture(made.interpolated, scale, AXIS, here),
                picture(made.image, scale, AXIS, here),
                coloured(made.deviation, "heat", 0, MOST_DOUBT * scale, AXIS, here),
            ]
        )
    return _mosaic(rows)


def _scan(slices: Tensor) -> Volume:
    """Slices are taken to be ``RATIO`` pixels apart, which no file says."""
    data = slices.permute(2, 1, 0).contiguous()
    x, y = (FIELD_MM / side for side in data.shape[:2])
    return Volume(data, np.diag([x, y, RATIO * FIELD_MM / data.shape[1], 1.0]))


def _said(scan: Volume, made: Enhanced) -> list[str]:
    """Of the assessor: quality with its interval, and what it found."""
    said = []
    for name, one in (("before", scan), ("cubic", made.interpolated), ("enhanced", made.image)):
        report = isocenter.assess(one)
        found = ", ".join(f"{one.name} {one.probability:.2f}" for one in report.found) or "nothing"
        value = "-" if report.score is None else f"{report.score:.0f} {report.interval}"
        said.append(f"\n  {name}: quality {value}; {found}; in domain {report.domain}")
    return said


def _enhanced(scan: Volume, options: argparse.Namespace) -> Enhanced:
    chosen = siqt.Options(ratio=RATIO, axis=AXIS, weights=options.weights)
    return siqt.enhance(scan, chosen, rng=generator(0))


def _mosaic(rows: list[list[bytes]]) -> bytes:
    images = [[_panel(one) for one in row] for row in rows]
    width = max(sum(one.width for one in row) + GAP * (len(row) - 1) for row in images)
    height = sum(max(one.height for one in row) for row in images) + GAP * (len(images) - 1)
    whole = Image.new("RGB", (width, height), "white")
    top = 0
    for row in images:
        left = 0
        for one in row:
            whole.paste(one, (left, top))
            left += one.width + GAP
        top += max(one.height for one in row) + GAP
    buffer = io.BytesIO()
    flat = whole.quantize(palette=_palette(), dither=Image.Dither.NONE)
    flat.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def _palette() -> Image.Image:
    greys = np.linspace(0, 255, N_TONES).round().astype(int).repeat(3).tolist()
    heat = np.asarray(Image.open(io.BytesIO(strip("heat", N_TONES))).convert("RGB")).ravel()
    palette = Image.new("P", (1, 1))
    palette.putpalette([*greys, *heat.tolist()])
    return palette


def _panel(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", default="", help="checkpoint; the shipped one if not given")
    parser.add_argument("--assess", action="store_true", help="also print what the assessor says")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    main()
