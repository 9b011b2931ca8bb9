"""``isocenter simulate`` in real processes that are killed on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.study.scans import tree, write_scans

CHOICE = ("--preset", "physical", "--artifacts", "noise,motion,spike", "--seed", "11")
N_IMAGES = 5 * 13


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scans(tmp_path_factory.mktemp("clean"), n_people=4)


@pytest.fixture(scope="module")
def undisturbed(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes that nobody disturbs."""
    out = tmp_path_factory.mktemp("undisturbed") / "bench"
    run = subprocess.run(simulation(clean, out), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return tree(out)


def simulation(clean: Path, out: Path, *words: str) -> list[str]:
    command = [sys.executable, "-m", "isocenter.cli", "simulate", str(clean), str(out)]
    return [*command, *CHOICE, *words]


@pytest.fixture
def heeding_interrupts() -> Iterator[None]:
    """Programs that are started heed them, also where this one is a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def n_done(out: Path) -> int:
    return len(list(out.glob("images/**/*.json")))


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    start = time.monotonic()
    while not condition():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() - start < 100
        time.sleep(0.005)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("heeding_interrupts")
@pytest.mark.parametrize("endings", [(signal.SIGKILL, signal.SIGKILL), (signal.SIGINT,)])
def test_a_run_that_is_stopped_on_the_way_ends_as_one_that_was_not(
    clean: Path, undisturbed: dict[str, bytes], tmp_path: Path, endings: tuple[signal.Signals, ...]
) -> None:
    out = tmp_path / "bench"
    kept = 0
    for ending in endings:
        words = simulation(clean, out, "--workers", "2", "--resume", "--quiet")
        with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
            # Early, since on a busy machine the others are made while the signal is on its way.
            enough = kept + 2
            wait_for(lambda: n_done(out) >= enough, process)  # noqa: B023
            process.send_signal(ending)
            process.wait()
            assert process.returncode == (-9 if ending == signal.SIGKILL else 130)
        kept = n_done(out)
        assert kept < N_IMAGES
        assert not (out / "labels.tsv").exists()
    run = subprocess.run(simulation(clean, out, "--resume"), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert f"{N_IMAGES} images of 5 scans of 4 people" in run.stdout
    assert tree(out) == undisturbed
    assert not list(out.rglob(".*"))


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and two worker processes: its address, and the workers."""
    known, logs = folder / "scheduler.json", [folder / "worker-0.log", folder / "worker-1.log"]
    where = ["--scheduler-file", str(known), "--no-dashboard"]
    worker = ["--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
    started = [dask("scheduler", folder / "log", *where, "--host", "127.0.0.1", "--port", "0")]
    try:
        wait_for(known.exists, started[0])
        started += [dask("worker", log, *where, *worker) for log in logs]
        wait_for(lambda: all("Registered to" in log.read_text() for log in logs), started[0])
        yield json.loads(known.read_text())["address"], started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


def dask(role: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *words]
    with open(log, "wb") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


@pytest.mark.timeout(300)
def test_a_cluster_that_loses_a_worker_ends_complete_and_the_same(
    clean: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "bench"
    with cluster(tmp_path) as (address, workers):
        words = simulation(clean, out, "--dask", address)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_for(lambda: n_done(out) >= 8, process)
            workers[0].kill()
            told, complaints = process.communicate(timeout=200)
        assert workers[1].poll() is None
    assert process.returncode == 0, complaints
    assert f"{N_IMAGES} images of 5 scans of 4 people" in told.decode()
    assert tree(out) == undisturbed


def test_a_cluster_that_is_not_there(clean: Path, tmp_path: Path) -> None:
    words = simulation(clean, tmp_path / "bench", "--dask", "127.0.0.1:9", "--quiet")
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "no Dask scheduler answers at '127.0.0.1:9'" in run.stderr.splitlines()[-1]
