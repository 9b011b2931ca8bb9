"""The same as :mod:`isocenter.study.run`, on the workers of a Dask cluster."""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

from isocenter.errors import MissingExtra, UsageError

__all__ = ["run_on_cluster"]

Task = TypeVar("Task")
Result = TypeVar("Result")

PATIENCE = 15
"""Seconds in which a scheduler answers, or is not there."""
WORKERS_WITHIN = 60
"""Seconds in which the first worker must come to a scheduler."""
AHEAD = 2
"""Tasks for each thread of the cluster: one at work and one waiting, so that none is idle."""


def run_on_cluster(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    address: str,
    on_death: Callable[[Task], Result],
) -> Iterator[tuple[int, Result]]:
    """Yield ``(position, result)`` as tasks end.

    A task whose worker died is run again on another one, so its results must come out the same
    a second time.  The cluster holds few tasks at once, whatever their number.

    Args:
        function: A function of a module; it turns every failure into a result.
        tasks: What to run it on.
        address: Of the scheduler, as ``tcp://host:8786``.
        on_death: Makes the result of a task that killed its worker several times.

    Raises:
        MissingExtra: ``distributed`` is not installed.
        UsageError: No scheduler answers, or none that has workers.
    """
    distributed = _package()
    waiting = deque(enumerate(tasks))
    with closing(_connected(distributed, address)) as client:
        running: dict[Any, int] = {}
        done = distributed.as_completed(loop=client.loop)

        def give() -> None:
            while waiting and len(running) < AHEAD * max(1, sum(client.nthreads().values())):
                position, task = waiting.popleft()
                future = client.submit(function, task, pure=False)
                running[future] = position
                done.add(future)

        give()
        for future in done:
            position = running.pop(future)
            yield position, _result(future, tasks[position], on_death)
            give()


def _package() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError:
        raise MissingExtra(
            "a Dask cluster needs the package distributed: pip install 'isocenter[cluster]'"
        ) from None


def _connected(distributed: Any, address: str) -> Any:
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address!r} ({type(error).__name__}): give its address "
            "as tcp://host:8786"
        ) from error
    try:
        client.wait_for_workers(1, timeout=WORKERS_WITHIN)
    except TimeoutError as error:
        client.close()
        raise UsageError(
            f"the Dask scheduler at {address!r} has no workers: start one with "
            f"`dask worker {address}`"
        ) from error
    return client


def _result(future: Any, task: Task, on_death: Callable[[Task], Result]) -> Result:
    from distributed.scheduler import KilledWorker

    try:
        result: Result = future.result()
        return result
    except KilledWorker:
        return on_death(task)
