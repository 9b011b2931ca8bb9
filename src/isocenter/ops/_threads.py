"""A loop's parts side by side, for work that holds no interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

__all__ = ["in_threads"]


def in_threads(work: Callable[[int, int], object], n_items: int) -> None:
    """Call ``work(start, stop)`` on contiguous parts of ``range(n_items)``.

    As many parts as torch has threads; the result of ``work`` must not depend on the cut.
    """
    n_parts = max(1, min(torch.get_num_threads(), n_items))
    cuts = [n_items * part // n_parts for part in range(n_parts + 1)]
    if n_parts == 1:
        work(0, n_items)
        return
    pool = _pool(os.getpid(), n_parts - 1)
    others = [pool.submit(work, *cuts[part : part + 2]) for part in range(1, n_parts)]
    work(cuts[0], cuts[1])
    for other in others:
        other.result()


@cache
def _pool(process: int, n_threads: int) -> ThreadPoolExecutor:
    """One pool per process: threads do not survive a fork, so the process is part of the key."""
    return ThreadPoolExecutor(n_threads, thread_name_prefix=f"isocenter-{process}")
