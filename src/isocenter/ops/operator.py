"""``LinearOperator``: a matrix that is never written down."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from torch import Tensor

__all__ = ["LinearOperator"]


class LinearOperator(ABC):
    """Abstract: ``A(x)``, its adjoint ``A.H(y)``, and products ``A @ B``.

    ``<A(x), y> = <x, A.H(y)>`` holds to rounding, with the inner product conjugating its first
    argument.
    """

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """``A x``."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """``A^H y``."""

    def normal(self, x: Tensor) -> Tensor:
        """``A^H A x``; a leaf may know a shorter way."""
        return self.adjoint(self(x))

    @property
    @final
    def H(self) -> LinearOperator:
        """The adjoint as an operator."""
        return _Adjoint(self)

    @final
    def __matmul__(self, inner: LinearOperator) -> LinearOperator:
        return _Product(self, inner)


@dataclass(frozen=True, eq=False)
class _Adjoint(LinearOperator):
    of: LinearOperator

    def __call__(self, x: Tensor) -> Tensor:
        return self.of.adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.of(y)


@dataclass(frozen=True, eq=False)
class _Product(LinearOperator):
    outer: LinearOperator
    inner: LinearOperator

    def __call__(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))
