"""How image-quality measures are compared with people's opinions, and with each other.

========================  ==================================================================
question                  answer
========================  ==================================================================
how does one measure do   :func:`measure_agreement`; intervals :func:`srocc_interval`, ...;
                          within references :func:`per_group`
which of two is better    :func:`steiger_test`, :func:`meng_test`, :func:`f_test`,
                          :func:`bootstrap_difference_by_person`
which of many             :func:`pairs_by_jackknife`, or :func:`pairs_by_meng_test`,
                          :func:`pairs_by_f_test`, :func:`pairs_by_bootstrap`; then
                          :func:`compact_letters`: groups, not a league table;
                          :func:`krasula_analysis` of pairs of images
all of it at once         :func:`compare_values`
accept or reject          :func:`auc`, :func:`auc_interval`, :func:`compare_auc`,
                          :func:`recall_at_specificity`, :func:`balanced_accuracy`
raters                    :func:`kappa`
learned measures          :func:`leave_groups_out`, :func:`drawn_splits`
========================  ==================================================================

Vectors hold one value an image; tables are (methods, images), higher being better, for which
:func:`oriented` turns the others.  What is not defined is NaN; shapes that do not match are a
``UsageError``, values that cannot be used an ``InputError``.
"""

from isocenter.statistics.agreement import (
    Agreement,
    OutlierRatio,
    PerGroup,
    measure_agreement,
    outlier_ratio,
    per_group,
    rmse,
)
from isocenter.statistics.bootstrap import (
    Difference,
    bootstrap_by_person,
    bootstrap_difference_by_person,
)
from isocenter.statistics.classification import (
    balanced_accuracy,
    kappa,
    macro_f1,
    recall_at_specificity,
)
from isocenter.statistics.compared import (
    Column,
    Compared,
    Measured,
    Missing,
    PairFigures,
    Rated,
    compare_values,
)
from isocenter.statistics.comparison import Comparison, Pairwise, all_pairs, benjamini_hochberg
from isocenter.statistics.correlation import (
    krocc,
    krocc_interval,
    oriented,
    plcc,
    plcc_interval,
    srocc,
    srocc_interval,
)
from isocenter.statistics.krasula import PairAnalysis, krasula_analysis
from isocenter.statistics.letters import LetterDisplay, compact_letters, equals_of_best
from isocenter.statistics.mapping import Fit, fit_mapping, logistic4, logistic5
from isocenter.statistics.roc import AucInterval, auc, auc_covariance, auc_interval, compare_auc
from isocenter.statistics.significance import (
    f_test,
    meng_test,
    pairs_by_bootstrap,
    pairs_by_f_test,
    pairs_by_jackknife,
    pairs_by_meng_test,
    steiger_test,
)
from isocenter.statistics.splits import Split, drawn_splits, leave_groups_out

__all__ = [
    "Agreement",
    "AucInterval",
    "Column",
    "Compared",
    "Comparison",
    "Difference",
    "Fit",
    "LetterDisplay",
    "Measured",
    "Missing",
    "OutlierRatio",
    "PairAnalysis",
    "PairFigures",
    "Pairwise",
    "PerGroup",
    "Rated",
    "Split",
    "all_pairs",
    "auc",
    "auc_covariance",
    "auc_interval",
    "balanced_accuracy",
    "benjamini_hochberg",
    "bootstrap_by_person",
    "bootstrap_difference_by_person",
    "compact_letters",
    "compare_auc",
    "compare_values",
    "drawn_splits",
    "equals_of_best",
    "f_test",
    "fit_mapping",
    "kappa",
    "krasula_analysis",
    "krocc",
    "krocc_interval",
    "leave_groups_out",
    "logistic4",
    "logistic5",
    "macro_f1",
    "measure_agreement",
    "meng_test",
    "oriented",
    "outlier_ratio",
    "pairs_by_bootstrap",
    "pairs_by_f_test",
    "pairs_by_jackknife",
    "pairs_by_meng_test",
    "per_group",
    "plcc",
    "plcc_interval",
    "recall_at_specificity",
    "rmse",
    "srocc",
    "srocc_interval",
    "steiger_test",
]
