"""The check that the test run puts around every function of the package.

beartype, but for two things that it cannot check: ``Self``, which it understands on whole
classes only while the import hook decorates methods one by one, and protocols that are not
meant for the run time.
"""

import typing
from collections.abc import Callable

from beartype import BeartypeConf, BeartypeHintOverrides, beartype
from beartype.roar import BeartypeDecorHintPep3119Exception

_beartype = beartype(
    conf=BeartypeConf(
        hint_overrides=BeartypeHintOverrides({typing.Self: typing.Any}),
        is_pep484_tower=True,  # an int is a float, as everywhere in Python's typing
    )
)


def checked(function: Callable[..., object]) -> Callable[..., object]:
    """``function`` with its signature checked on every call."""
    try:
        wrapped: Callable[..., object] = _beartype(function)
        return wrapped
    except BeartypeDecorHintPep3119Exception:
        return function
