"""Run one function over many tasks, in this process or in several.

Each worker process serves alone, so that one that dies (out of memory, a crash in a
decoder) takes no other task with it: its own task fails, and a fresh one takes its place.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

__all__ = ["run"]

Task = TypeVar("Task")
Result = TypeVar("Result")


def run(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    on_death: Callable[[Task], Result],
) -> Iterator[tuple[int, Result]]:
    """Yield ``(position, result)`` as tasks end; with one worker, in their order.

    Args:
        function: A function of a module; it turns every failure into a result.
        tasks: What to run it on.
        workers: Number of processes; 1 stays in this one.
        on_death: Makes the result of a task whose process died.
    """
    workers = min(workers, len(tasks))
    if workers <= 1:
        yield from ((i, function(task)) for i, task in enumerate(tasks))
        return
    waiting = deque(enumerate(tasks))
    pool = [_Worker(function) for _ in range(workers)]
    try:
        for worker in pool:
            worker.give(*waiting.popleft())
        while busy := {worker.line: worker for worker in pool if worker.task is not None}:
            for line in wait(list(busy)):
                worker = busy[line]  # type: ignore[index]
                yield worker.answer(on_death)
                if waiting:
                    worker.give(*waiting.popleft())
    finally:
        for worker in pool:
            worker.stop()


class _Worker(Generic[Task, Result]):
    """One process, the line to it, and the task that it works on."""

    def __init__(self, function: Callable[[Task], Result]) -> None:
        self.function = function
        self.task: tuple[int, Task] | None = None
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.line, far = context.Pipe()
        self.process = context.Process(target=_serve, args=(self.function, far), daemon=True)
        self.process.start()
        far.close()  # so that the line ends when the process does

    def give(self, position: int, task: Task) -> None:
        self.task = position, task
        try:
            self.line.send(task)
        except BrokenPipeError:  # died while idle
            self._start()
            self.line.send(task)

    def answer(self, on_death: Callable[[Task], Result]) -> tuple[int, Result]:
        """Receive the result that waits on the line; start anew if the process died."""
        if self.task is None:
            raise RuntimeError("this worker was given no task")
        (position, task), self.task = self.task, None
        try:
            result: Result = self.line.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            self._start()
            result = on_death(task)
        return position, result

    def stop(self) -> None:
        """End the process: at once when it is busy, since nobody waits for its answer."""
        if self.task is not None:
            self.process.kill()
        self.line.close()
        self.process.join()


def _serve(function: Callable[[Task], Result], line: Connection) -> None:
    """Answer tasks until the line ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            task: Task = line.recv()
        except EOFError:
            return
        line.send(function(task))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
