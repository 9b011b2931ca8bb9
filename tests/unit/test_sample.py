"""The sample scan: there, whole, of known licence, and what its page says."""

import gzip
import hashlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from isocenter.datasets import sample
from isocenter.errors import ResourceError
from tests.tool_modules import tool_module


def test_the_sample_is_a_small_brain_with_air_around_it() -> None:
    image = nib.load(sample.path())
    data = np.asarray(image.dataobj)
    assert sample.path().stat().st_size < 3_000_000
    assert data.dtype == np.int16
    assert nib.aff2axcodes(image.affine) == ("L", "A", "S")
    assert image.header.get_zooms() == pytest.approx((0.8681, 0.8681, 1.0), abs=1e-4)
    assert (data.min(), data.max() > 1000) == (0, True)
    assert not data[:16].any()
    assert not data[..., -16:].any()
    assert 0.1 < np.count_nonzero(data) / data.size < 0.5


def test_a_missing_sample_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "NAME", "gone.nii.gz")
    with pytest.raises(ResourceError, match="install isocenter again"):
        sample.path()


def test_the_source_is_stated_where_the_file_lies() -> None:
    stated = sample.path().with_name("SOURCES.md").read_text()
    assert all(word in stated for word in ("CC0", "ds002748", "sub-67", sample.NAME))


@pytest.mark.data
def test_the_sample_is_what_the_tool_makes(data_root: Path) -> None:
    made = tool_module("make_sample").make(data_root / "brains/sub-67_T1w.nii.gz")
    digests = [hashlib.sha256(gzip.decompress(c)) for c in (made, sample.path().read_bytes())]
    assert digests[0].hexdigest() == digests[1].hexdigest()
