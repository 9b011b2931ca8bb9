"""Trees on the numbers that anyone would look at first; cheap to measure, quick to learn.

Breiman, Machine Learning 45, 2001, doi:10.1023/A:1010933404324.
"""

from pathlib import Path

from isocenter.training.baselines._learned import LearnsFromFeatures, forest
from isocenter.training.baselines._protocol import Method
from isocenter.training.baselines._simple import simple_table

__all__ = ["method"]


def method(*, seed: int = 0, path: Path | None = None) -> Method:
    """A random forest on :func:`isocenter.ops.slabs.simple_numbers`; needs scikit-learn.

    Args:
        seed: Of the trees.
        path: Table in which the numbers are kept by the scan's hash.
    """
    return LearnsFromFeatures(simple_table(path), forest(seed), needs_all=False)
