"""One function over many tasks, whatever happens to the processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isocenter.study.run import run
from isocenter.study.twins import group_twins
from tests.unit.study import jobs


def collect(function: object, tasks: list[int], workers: int) -> dict[int, object]:
    return dict(run(function, tasks, workers=workers, on_death=jobs.died))  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_task_is_answered_whatever_the_number_of_workers(workers: int) -> None:
    assert collect(jobs.square, [3, 1, 2, 5], workers) == {0: 9, 1: 1, 2: 4, 3: 25}


def test_one_worker_is_this_process_and_more_are_others() -> None:
    assert set(collect(jobs.process, [0, 0], 1).values()) == {os.getpid()}
    assert os.getpid() not in collect(jobs.process, [0, 0, 0], 2).values()


def test_a_process_that_dies_fails_its_own_task_alone() -> None:
    results = collect(jobs.square_or_die, [1, -1, 2, -1, 3], 2)
    assert results == {0: 1, 1: "died -1", 2: 4, 3: "died -1", 4: 9}


def test_leaving_early_ends_the_workers() -> None:
    start = time.monotonic()
    for _ in run(jobs.sleep, [0, 60, 60], workers=2, on_death=jobs.died):
        break
    assert time.monotonic() - start < 30


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    code = (
        "from isocenter.study.run import run\n"
        "from tests.unit.study import jobs\n"
        "if __name__ == '__main__':\n"
        f"    tasks = [{str(tmp_path / 'a')!r}, {str(tmp_path / 'b')!r}]\n"
        "    list(run(jobs.note_and_sleep, tasks, workers=2, on_death=jobs.died))\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    notes = [tmp_path / "a", tmp_path / "b"]
    wait_for(lambda: all(note.exists() and note.read_text() for note in notes))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    numbers = [int(note.read_text()) for note in notes]
    wait_for(lambda: not any(map(alive, numbers)))


def alive(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(ready: object, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_twins_are_grouped_by_content(tmp_path: Path) -> None:
    a, b, c, d, folder = (tmp_path / name for name in ("a", "b", "c", "d", "e"))
    for path, content in ((a, b"one"), (b, b"two"), (c, b"one"), (d, b"longer")):
        path.write_bytes(content)
    folder.mkdir()
    absent = tmp_path / "absent"
    groups = group_twins([b, a, folder, c, absent, d, a])
    assert groups == [(b,), (a, c, a), (folder,), (absent,), (d,)]
