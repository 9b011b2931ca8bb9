"""Tables of ratings and the images beside them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import isocenter as iso
from isocenter.data.volume import Volume
from isocenter.datasets.rad_iqmri import read_grey, read_ratings
from isocenter.errors import BadVolume, InputError, IsocenterError, NeedsChoice, NothingFound


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in ("ref/knee.png", "dist/knee_1.png", "dist/knee_2.BMP", "dist/deep/knee_3.tif"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(folder / name)
    return folder


def table(folder: Path, text: str) -> Path:
    path = folder.parent / "ratings.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_column_is_read(images: Path) -> None:
    text = (
        "image,reference,mos,deviation,n_raters,artifact,energy\n"
        "knee_1.png,knee.png,71.5,4.25,13,ghosting,low\n\n"
        "knee_2,knee,20,,,white_noise,high\n"
    )
    first, second = read_ratings(table(images, text), images).rows
    assert (first.image, first.reference) == (images / "dist/knee_1.png", images / "ref/knee.png")
    assert (first.mos, first.deviation, first.n_raters) == (71.5, 4.25, 13)
    assert first.tags == {"artifact": "ghosting", "energy": "low"}
    assert second.image == images / "dist/knee_2.BMP"
    assert (second.deviation, second.n_raters) == (None, None)


def test_other_spellings_separators_and_folders_are_taken(images: Path) -> None:
    text = "\ufeffDist-Img; Ref ;MOS;Std\ndist\\deep\\knee_3;REF/Knee.PNG;5;1\nKNEE_1;knee;6;2\n"
    rated = read_ratings(table(images, text), images)
    assert [row.image.name for row in rated.rows] == ["knee_3.tif", "knee_1.png"]
    assert rated.groups == (images / "ref/knee.png",) * 2
    assert rated.references == (images / "ref/knee.png",)


HEAD = "image,reference,mos,deviation,n_raters\n"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("image,score\nknee_1,3\n", InputError, "no column 'reference'; the table needs image, "),
        ("", InputError, "no column 'image' or 'reference' or 'mos'"),
        ("image,img,reference,mos\na,b,c,1\n", InputError, "'image' and 'img' both mean 'image'"),
        (HEAD, InputError, "a header and no rows"),
        (HEAD + "knee_1,knee,good,1,2\n", InputError, "row 2: mos is 'good'; give a number"),
        (HEAD + "knee_1,knee,nan,1,2\n", InputError, "row 2: mos is 'nan'"),
        (HEAD + "\nknee_1,knee,,1,2\n", InputError, "row 3: mos is empty"),
        (HEAD + "knee_1,knee,1,-1,2\n", InputError, "deviation is '-1'; give a number of at least"),
        (HEAD + "knee_1,knee,1,1,2.5\n", InputError, "n_raters is '2.5'; give a whole number"),
        (HEAD + ",knee,1,1,2\n", InputError, "row 2: image is empty"),
        (HEAD + "knee_1,knee,1\n", InputError, "row 2: 3 cells under 5 headers"),
        (HEAD + "knee_1,knee,1,1,2\nknee_1.png,knee,2,1,2\n", InputError, "rows 2 and 3 rate"),
        (
            HEAD + "a,knee,1,1,2\nb,c,1,1,2\nd,e,1,1,2\n",
            NothingFound,
            "5 of 6 .*a, b, d and 2 more",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_row(
    images: Path, text: str, error: type[IsocenterError], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_ratings(table(images, text), images)


def test_a_name_that_fits_two_files_is_refused_until_its_folder_is_given(images: Path) -> None:
    (images / "dist/knee.png").write_bytes((images / "ref/knee.png").read_bytes())
    with pytest.raises(NeedsChoice, match="'knee' fits dist/knee.png and ref/knee.png"):
        read_ratings(table(images, "image,reference,mos\nknee_1,knee,3\n"), images)
    rated = read_ratings(table(images, "image,reference,mos\nknee_1,ref/knee,3\n"), images)
    assert rated.references == (images / "ref/knee.png",)


def test_missing_and_foreign_tables_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="no such table"):
        read_ratings(tmp_path / "none.csv", images)
    with pytest.raises(NothingFound, match="no such folder"):
        read_ratings(table(images, HEAD + "knee_1,knee,1,1,2\n"), tmp_path / "none")
    (tmp_path / "latin.csv").write_bytes(b"image,reference,mos\n\xff\xfe,b,1\n")
    with pytest.raises(InputError, match="not a table in UTF-8"):
        read_ratings(tmp_path / "latin.csv", images)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif"])
def test_grey_pictures_keep_their_values_and_grey_colour_is_grey(
    tmp_path: Path, ending: str
) -> None:
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
    for mode in ("L", "RGB", "P"):
        Image.fromarray(grey).convert(mode).save(tmp_path / f"{mode}.{ending}")
        values = read_grey(tmp_path / f"{mode}.{ending}")
        assert values.dtype == torch.float32
        np.testing.assert_allclose(values, grey, atol=1e-4)


def test_deep_pictures_colour_and_transparency(tmp_path: Path) -> None:
    deep = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3400
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(deep).save(tmp_path / name)
        np.testing.assert_array_equal(read_grey(tmp_path / name), deep)
    Image.new("RGB", (2, 2), (255, 0, 0)).save(tmp_path / "red.png")
    torch.testing.assert_close(read_grey(tmp_path / "red.png"), torch.full((2, 2), 0.299 * 255))
    Image.new("LA", (2, 2), (90, 10)).save(tmp_path / "clear.png")
    assert read_grey(tmp_path / "clear.png").unique().tolist() == [90]


def test_nifti_slices_and_volumes(tmp_path: Path) -> None:
    data = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    for name, part in {"volume": data, "slice": data[:, :, :1].contiguous()}.items():
        iso.write(Volume(part, np.eye(4)), tmp_path / f"{name}.nii.gz")
    assert torch.equal(read_grey(tmp_path / "volume.nii.gz"), data)
    assert torch.equal(read_grey(tmp_path / "slice.nii.gz"), data[:, :, 0])


def test_broken_and_many_pictures_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    with pytest.raises(BadVolume, match="not a picture"):
        read_grey(tmp_path / "broken.png")
    with pytest.raises(NothingFound, match="no such file"):
        read_grey(tmp_path / "none.png")
    pages = [Image.new("L", (3, 3), grey) for grey in (0, 9)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(BadVolume, match="2 pictures in one file"):
        read_grey(tmp_path / "pages.tif")
