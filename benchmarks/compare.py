"""Every measure on a stand-in for RAD-IQMRI with simulated observers, and the table of it.

    python benchmarks/compare.py DATA OUT [--workers 2] [--seed 1]

DATA is the collection of real scans.  Eight references, 14 distorted images each, and observers
who see one known measure and err: ``isocenter.study.rated_standin`` says how.  Writes the stand-in
to OUT/standin, runs ``isocenter compare`` on it, and prints the table for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import isocenter as iso
from isocenter.cli._app import run
from isocenter.study.rated_standin import IMAGES, RATINGS, make_standin

REFERENCES = {
    "brain": "brains/sub-01_T1w.nii.gz",
    "brain_2": "brains/sub-41_T1w.nii.gz",
    "head": "dicom/head_T1w",
    "spine": "spine/t2s_t2s_uncropped.nii.gz",
    "abdomen": "formats/abdomen_single.dcm",
    "ms": "ms/patient-03_visit-1_FLAIR.nii.gz",
    "lesions": "ms/mni_patient-07_T2.nii.gz",
    "glioma": "heads/glioma_T1c.nii.gz",
}
MEASURE = "gmsd"


def main() -> int:
    options = _options()
    standin, out = options.out / "standin", options.out / "comparison"
    if not (standin / "truth.json").exists():
        scans = {name: iso.read(options.data / file) for name, file in REFERENCES.items()}
        make_standin(scans, standin, rng=iso.generator(options.seed), measure=MEASURE)
    words = ["compare", str(standin / RATINGS), str(standin / IMAGES), "--out", str(out)]
    code = run([*words, "--workers", str(options.workers)])
    if code == 0:
        _print_table(json.loads((out / "comparison.json").read_text()))
    return code


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _print_table(document: dict) -> None:
    print("| measure | group | SROCC | 95 % by reference | within references | PLCC | RMSE |")
    print("|---|---|---|---|---|---|---|")
    for one in document["methods"]:
        low, high = one["srocc_interval_by_reference"]
        print(
            f"| {one['name'].replace('_', ' ')} | {' '.join(one['letters'])} | {one['srocc']:.3f} "
            f"| {low:.3f} to {high:.3f} | {one['within_references']['mean']:.3f} "
            f"| {one['plcc_fitted']:.3f} | {one['rmse']:.2f} |"
        )


if __name__ == "__main__":
    raise SystemExit(main())
