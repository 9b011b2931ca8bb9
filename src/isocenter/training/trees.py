"""Trees as scikit-learn grows them, laid out as :class:`isocenter.ops.trees.Trees`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from isocenter.ops.trees import LEAF, Trees

__all__ = ["Grown", "lay_out"]


class Grown(Protocol):
    """What is needed of a grown tree: the attributes of scikit-learn's ``tree_``."""

    children_left: npt.NDArray[np.int64]
    children_right: npt.NDArray[np.int64]
    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]


def lay_out(
    trees: Sequence[Grown], leaves: Sequence[npt.NDArray[np.float64]], *, offset: float = 0.0
) -> Trees:
    """The same trees, node for node, with what each node would add at its end.

    Args:
        trees: Grown trees.
        leaves: For each tree, one number per node; those of inner nodes are not used.
        offset: What the sum begins with.

    Returns:
        Trees that take the same way for every single-precision input.
    """
    roots, columns, numbers, lefts = [], [], [], []
    n_nodes = 0
    for tree, leaf in zip(trees, leaves, strict=True):
        order = _by_breadth(tree)
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(n_nodes, n_nodes + len(order))
        inner = tree.children_left[order] >= 0
        columns.append(np.where(inner, tree.feature[order], LEAF))
        numbers.append(np.where(inner, _single(tree.threshold[order]), leaf[order]))
        lefts.append(np.where(inner, place[tree.children_left[order]], 0))
        roots.append(n_nodes)
        n_nodes += len(order)
    return Trees(
        roots=np.array(roots, np.int32),
        column=np.concatenate(columns).astype(np.int16),
        number=np.concatenate(numbers).astype(np.float32),
        left=np.concatenate(lefts).astype(np.int32),
        offset=offset,
    )


def _by_breadth(tree: Grown) -> npt.NDArray[np.int64]:
    """The nodes level by level, children side by side."""
    order, waiting = [], deque([0])
    while waiting:
        node = waiting.popleft()
        order.append(node)
        if tree.children_left[node] >= 0:
            waiting += [int(tree.children_left[node]), int(tree.children_right[node])]
    return np.array(order)


def _single(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """The largest single-precision number that is not above the threshold.

    A single-precision value is at most the one exactly when it is at most the other.
    """
    rounded = threshold.astype(np.float32)
    below = np.nextafter(rounded, np.float32(-np.inf))
    return np.where(rounded > threshold, below, rounded).astype(np.float32)
