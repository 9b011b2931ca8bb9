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
from isocenter.reports.text import one_line

__all__ = ["app", "run"]


def app() -> App:
    """The commands; none of their modules is imported yet."""
    made = App(
        name="isocenter",
        help=INTRODUCTION,
        help_format="plaintext",
        help_epilogue=epilogue(),
        version=isocenter.__version__,
        suppress_keyboard_interrupt=False,
        default_parameter=Parameter(negative=()),
    )
    for name, (place, text, examples) in COMMANDS.items():
        made.command(place, name=name, help=text, help_epilogue=examples)
    return made


def run(tokens: Sequence[str]) -> int:
    """Run one command; every error becomes one line on stderr and an exit code."""
    DEBUG.set("--debug" in tokens)
    words = [token for token in tokens if token != "--debug"]
    try:
        code = app()(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # the reader of our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        code, sentence = _ending(error)
        if DEBUG.get():
            traceback.print_exc()
        print(f"isocenter: {one_line(sentence)}", file=sys.stderr)
        return code


def _ending(error: BaseException) -> tuple[int, str]:
    """Exit code and sentence of an error."""
    match error:
        case CycloptsError():
            return 2, " ".join(str(error).split())
        case IsocenterError():
            return error.exit_code, str(error)
        case KeyboardInterrupt():
            return 130, "interrupted; finished results are kept"
        case MemoryError():
            return 6, "out of memory; close other programs or take a smaller scan"
    what = f"{type(error).__name__}: {error}"
    return 1, f"a bug in isocenter ({what}); please report it, with what --debug shows"
