"""Anatomical scans as the Brain Imaging Data Structure names them."""

from __future__ import annotations

from isocenter.datasets.layouts._files import Rule

__all__ = ["anatomical"]


def anatomical(
    *contrasts: str,
    person: str = r"sub-[A-Za-z0-9]+",
    session: str = r"ses-[A-Za-z0-9]+",
    needs_session: bool = False,
) -> Rule:
    """Files of ``anat`` folders that end in one of ``contrasts``, whatever their entities.

    Args:
        contrasts: Suffixes: ``T1w``, ``T2w``, ...
        person: Pattern of the people to take.
        session: Pattern of the sessions to take.
        needs_session: Leave out what has no session.
    """
    visit = rf"(?:(?P<session>{session})/){'' if needs_session else '?'}"
    entities = r"(?:_[A-Za-z0-9]+-[A-Za-z0-9.+]+)*"
    suffix = rf"_(?P<contrast>{'|'.join(contrasts)})"
    ending = r"\.(?:nii|nii\.gz)"
    return Rule(rf"(?P<person>{person})/{visit}anat/(?P=person){entities}{suffix}{ending}")
