"""Methods without a network, one a file; the file's name is the method's name.

Every file offers ``method(**settings)``, which gives a
:class:`~isocenter.training.baselines._protocol.Method`: ``fit(rows, truth)`` learns and gives what
answers ``predict(rows)``, so that one table can run all of them on the same rows and folds.
:func:`~isocenter.training.baselines._protocol.across_folds` does so without letting a person
stand on two sides.

``constant``       the mean of what was seen, or how often each class was
``linear``         a straight line, or logistic regression, on a few simple numbers
``simple_forest``  trees on the same numbers
``brisque_svr``    a support-vector machine on BRISQUE's statistics of slices
``iqm_forest``     trees on what MRIQC measures
``tissue_snr``     the signal-to-noise ratio of the tissues, measured and not learned

The trees and the support-vector machine need scikit-learn.
"""

from isocenter.registry import Registry
from isocenter.training.baselines._protocol import Answers, Fitted, Method, Row, across_folds

__all__ = ["BASELINES", "Answers", "Fitted", "Method", "Row", "across_folds"]

BASELINES = Registry("baseline", "training.baselines")
"""All methods by name; ``BASELINES.get("linear").method()``."""
