"""Result names are unique, predictable, and fit for every disk."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from isocenter.errors import UsageError
from isocenter.study.names import result_names


def names(*paths: str) -> list[str]:
    made = result_names([Path(path) for path in paths])
    return [made[Path(path)] for path in paths]


def test_a_name_is_the_scans_own_where_it_is_unique() -> None:
    assert names("/d/a.nii.gz", "/d/b.nii") == ["a", "b"]


def test_two_endings_are_kept() -> None:
    assert names("/d/a.nii.gz", "/d/a.nii", "/d/b.nii") == ["a.nii.gz", "a.nii", "b"]


def test_folders_tell_apart_what_the_name_does_not() -> None:
    assert names("/d/s1/a.nii", "/d/s2/a.nii", "/d/b.nii") == ["s1_a", "s2_a", "b"]
    assert names("/d/p1/T1/a.nii", "/d/p2/T1/a.nii") == ["p1_T1_a.nii", "p2_T1_a.nii"]


def test_names_do_not_depend_on_the_order() -> None:
    paths = ["/d/s1/a.nii", "/d/s2/a.nii", "/d/b.nii"]
    assert names(*reversed(paths)) == names(*paths)[::-1]


def test_one_scan_written_in_two_ways_has_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert names("a.nii", "./a.nii", str(tmp_path / "a.nii")) == ["a", "a", "a"]


def test_upper_and_lower_case_alone_are_refused() -> None:
    with pytest.raises(UsageError, match=r"'sub-A\.nii' and 'sub-a\.nii'"):
        names("/d/sub-A.nii", "/d/sub-a.nii")


def test_a_long_name_is_cut_and_stays_unique() -> None:
    long = ["n" * 247 + end + ".nii.gz" for end in ("a", "b")]
    made = names(*(f"/d/{name}" for name in long))
    assert made[0] != made[1]
    assert all(len(f"{name}_quality.html".encode()) <= 255 for name in made)


ODD = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=80).filter(
    lambda name: name not in (".", "..") and name.strip()
)


@hypothesis.given(st.lists(ODD, min_size=1, max_size=6, unique_by=str.casefold))
def test_every_name_can_be_a_file_on_every_disk(odd: list[str]) -> None:
    scans = [Path("/d") / f"{i}{name}.nii" for i, name in enumerate(odd)]
    made = result_names(scans)
    assert len({name.casefold() for name in made.values()}) == len(scans)
    for name in made.values():
        assert 0 < len(name.encode()) <= 242
        assert not set(name) & set('\n\r\t\0<>:"/\\|?*')
