"""The commands by name, and how a run ends."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

import isocenter
from isocenter.cli._debug import DEBUG
from isocenter.cli._texts import COMMANDS, INTRODUCTION, epilogue
from isocenter.errors import IsocenterError

__all__ = ["app", "run"]


def app() -> App:
    """The commands; none of their modules is imported yet."""
    made = App(
        name="isocenter",
        help=INTRODUCTION,
        help_format="plaintext",
        help_epilogue=epilogue(),
        version=isocenter.__version__,
        default_parameter=Parameter(negative=()),
    )
    for name, (place, text) in COMMANDS.items():
        made.command(place, name=name, help=text, help_epilogue="")
    return made


def run(tokens: Sequence[str]) -> int:
    """Run one command; every error becomes one line on stderr and an exit code."""
    debug = "--debug" in tokens
    words = [token for token in tokens if token != "--debug"]
    DEBUG.set(debug)
    try:
        code = app()(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except CycloptsError as error:
        return _end(2, " ".join(str(error).split()), debug)
    except IsocenterError as error:
        return _end(error.exit_code, str(error), debug)
    except KeyboardInterrupt:
        return _end(130, "interrupted; finished results are kept", debug)
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _end(6, "out of memory; close other programs or take a smaller scan", debug)
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return _end(1, f"a bug in isocenter ({what}); please report it, with --debug", debug)


def _end(code: int, sentence: str, debug: bool) -> int:
    from isocenter.reports.text import one_line

    if debug:
        traceback.print_exc()
    print(f"isocenter: {one_line(sentence)}", file=sys.stderr)
    return code
