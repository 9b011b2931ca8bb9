"""Sums of decision trees, kept as plain arrays and walked all at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LEAF", "Trees"]

LEAF = -1
"""Stands for the column where a node asks nothing."""


@dataclass(frozen=True, eq=False)
class Trees:
    """Decision trees whose leaves are added up: a forest's average, or boosting's sum.

    The nodes of all trees stand in one row; a node's two children are neighbours.
    """

    roots: npt.NDArray[np.int32]
    """(T,), the first node of every tree."""
    column: npt.NDArray[np.int16]
    """(M,), the column that a node asks for; :data:`LEAF` at a leaf."""
    number: npt.NDArray[np.float32]
    """(M,), the largest value that goes left; at a leaf, what it adds."""
    left: npt.NDArray[np.int32]
    """(M,), the left child; the right one is next to it."""
    offset: float = 0.0
    """What the sum begins with."""

    def is_sound(self, n_columns: int) -> bool:
        """Whether children come after their parents and nothing points beyond its array."""
        n_nodes, nodes = len(self.column), np.flatnonzero(self.column != LEAF)
        return (
            len(self.number) == len(self.left) == n_nodes
            and bool(((self.roots >= 0) & (self.roots < n_nodes)).all())
            and bool(((self.column >= LEAF) & (self.column < n_columns)).all())
            and bool(((self.left[nodes] > nodes) & (self.left[nodes] < n_nodes - 1)).all())
        )

    def __call__(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The sum of one leaf of each tree.

        Args:
            values: (N, K), finite; compared in single precision, as the trees were grown.

        Returns:
            (N,).
        """
        asked = np.asarray(values).astype(np.float32)
        rows = np.arange(len(asked))[:, None]
        node = np.broadcast_to(self.roots, (len(asked), len(self.roots)))
        while (inner := self.column[node] != LEAF).any():
            right = asked[rows, self.column[node]] > self.number[node]
            node = np.where(inner, self.left[node] + right, node)
        total: npt.NDArray[np.float64] = self.number[node].sum(axis=1, dtype=np.float64)
        return self.offset + total
