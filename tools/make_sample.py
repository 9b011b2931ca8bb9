"""Make the sample scan of the package from the source file; same input, same bytes.

    python tools/make_sample.py DATA/brains/sub-67_T1w.nii.gz

DATA is the folder of real scans that the tests call ``ISOCENTER_DATA``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np

from isocenter.data import atomic

SOURCE_SHA256 = "bfa74675292c5d5977bc75ad2204b9fdf8cf949368cb93d750a362068bc5d4ec"
MARGIN = 16
"""Voxels of background added on each side: ghosts and motion need room around the brain."""
TARGET = Path(__file__).parents[1] / "src/isocenter/datasets/sample_T1w.nii.gz"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    content = make(parser.parse_args().source)
    atomic.write_bytes(TARGET, content)
    print(f"{TARGET.name}  {len(content):,} bytes  sha256 {hashlib.sha256(content).hexdigest()}")


def make(source: Path) -> bytes:
    """The sample's bytes."""
    if hashlib.sha256(source.read_bytes()).hexdigest() != SOURCE_SHA256:
        raise SystemExit(f"{source} is not the expected sub-67_T1w.nii.gz: SHA-256 differs")
    image = padded(nib.load(source))
    # No time stamp and no file name, so that the bytes depend on the content alone.
    return gzip.compress(image.to_bytes(), compresslevel=9, mtime=0)


def padded(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """The same voxels at the same place in the world, with a margin of zeros."""
    data = np.pad(np.asanyarray(image.dataobj).astype(np.int16), MARGIN)
    affine = image.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, MARGIN)
    result = nib.Nifti1Image(data, affine)
    result.header.set_xyzt_units("mm")
    return result


if __name__ == "__main__":
    main()
