"""Functions that a worker process can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(task: int) -> int:
    return task * task


def process(task: int) -> int:
    time.sleep(0.1)
    return os.getpid()


def square_or_die(task: int) -> int:
    if task < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return task * task


def sleep(task: int) -> int:
    time.sleep(task)
    return task


def note_and_sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def died(task: object) -> str:
    return f"died {task}"
