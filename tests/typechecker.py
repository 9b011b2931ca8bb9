"""The check that the test run puts around every function of the package.

beartype alone, but for ``Self``: it is understood on whole classes only, and the import hook
decorates methods one by one.
"""

import typing

from beartype import BeartypeConf, BeartypeHintOverrides, beartype

checked = beartype(
    conf=BeartypeConf(hint_overrides=BeartypeHintOverrides({typing.Self: typing.Any}))
)
