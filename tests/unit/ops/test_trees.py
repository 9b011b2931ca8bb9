"""Trees walked at once, against one step at a time."""

from __future__ import annotations

import numpy as np

from isocenter.ops.trees import LEAF, Trees

STUMP_AND_LEAF = Trees(
    # Tree 0: column 1 <= 2 ? 10 : (column 0 <= 0 ? 20 : 30).  Tree 1: always 1.
    roots=np.array([0, 5], np.int32),
    column=np.array([1, LEAF, 0, LEAF, LEAF, LEAF], np.int16),
    number=np.array([2, 10, 0, 20, 30, 1], np.float32),
    left=np.array([1, 0, 3, 0, 0, 0], np.int32),
    offset=0.5,
)


def slowly(trees: Trees, row: np.ndarray) -> float:
    total = trees.offset
    for root in trees.roots:
        node = int(root)
        while trees.column[node] != LEAF:
            right = np.float32(row[trees.column[node]]) > trees.number[node]
            node = int(trees.left[node]) + int(right)
        total += float(trees.number[node])
    return total


def test_leaves_are_added_to_the_offset() -> None:
    found = STUMP_AND_LEAF([[5.0, 2.0], [0.0, 2.1], [0.1, 2.1]])
    assert found.tolist() == [11.5, 21.5, 31.5]


def test_no_rows_and_one_row() -> None:
    assert STUMP_AND_LEAF(np.empty((0, 2))).shape == (0,)
    assert STUMP_AND_LEAF([[0, 0]]).tolist() == [11.5]


def test_all_at_once_is_one_after_another() -> None:
    """Random trees of depth 5, also where values stand exactly at a threshold."""
    rng = np.random.default_rng(4)
    n_inner, n_nodes = 31, 63
    roots, column, number, left = [], [], [], []
    for tree in range(7):
        start = tree * n_nodes
        roots.append(start)
        inner = np.arange(n_nodes) < n_inner
        column.append(np.where(inner, rng.integers(4, size=n_nodes), LEAF))
        number.append(rng.integers(-3, 4, size=n_nodes))
        left.append(np.where(inner, start + 2 * np.arange(n_nodes) + 1, 0))
    trees = Trees(
        np.array(roots, np.int32),
        np.concatenate(column).astype(np.int16),
        np.concatenate(number).astype(np.float32),
        np.concatenate(left).astype(np.int32),
    )
    values = rng.integers(-4, 5, size=(50, 4)).astype(float)
    assert trees(values).tolist() == [slowly(trees, row) for row in values]
