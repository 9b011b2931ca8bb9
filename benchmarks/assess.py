"""Time and memory of ``isocenter assess``, from the command to the written report.

    python benchmarks/assess.py SCAN... [--rounds 5]

Every round is a new process on two cores.  Prints one markdown table.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELP = [sys.executable, "-m", "isocenter.cli", "--help"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| command | wall, s (median) | processor, s | peak memory, MB |")
    print("|---|---|---|---|")
    print(row("isocenter --help", HELP, options.rounds))
    for scan in options.scans:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "isocenter.cli", "assess", str(scan.resolve())]
            named = f"isocenter assess {scan.name}"
            print(row(named, [*command, "--out", folder], options.rounds))


def row(name: str, command: list[str], rounds: int) -> str:
    """One line of the table; a first round that warms the disk's cache is not counted."""
    measured = [measure(command) for _ in range(rounds + 1)][1:]
    wall, processor, peak = map(statistics.median, zip(*measured, strict=True))
    return f"| {name} | {wall:.2f} | {processor:.2f} | {peak:.0f} |"


def measure(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory in MB of one process."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    if status != 0:
        sys.exit(f"{' '.join(command)} failed: run it by hand")
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
