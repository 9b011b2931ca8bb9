"""Splits by person: nobody stands on two sides."""

from isocenter.datasets.people import Split, check_disjoint, split_people

__all__ = ["Split", "check_disjoint", "split_people"]
