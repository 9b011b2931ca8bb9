"""Trees on what MRIQC measures of an anatomical scan.

After the classifier of Esteban et al., PLoS ONE 12(9), 2017, doi:10.1371/journal.pone.0184661:
a random forest on the image-quality measures, here by our own masks and tissues.  Sizes of grid
and voxels are left out, as they name the scanner.
"""

from functools import partial
from pathlib import Path

from isocenter import registry
from isocenter.data.volume import Volume
from isocenter.measures import Definition, measure
from isocenter.training.baselines._features import FeatureTable
from isocenter.training.baselines._learned import LearnsFromFeatures, forest
from isocenter.training.baselines._protocol import Method

__all__ = ["feature_names", "method"]


def method(
    *, seed: int = 0, path: Path | None = None, definition: Definition = "corrected"
) -> Method:
    """A random forest on the measures of :func:`isocenter.measure`; needs scikit-learn.

    A scan takes seconds to minutes: give a path.  A measure that has no value on a scan is
    missing to the trees, too.

    Args:
        seed: Of the trees.
        path: Table in which the measures are kept by the scan's hash, one for each definition.
        definition: Whose formulas.
    """
    names = feature_names(definition)
    table = FeatureTable(names, partial(_measure, definition), path=path)
    return LearnsFromFeatures(table, forest(seed), needs_all=False)


def feature_names(definition: Definition) -> tuple[str, ...]:
    """Every measure with the definition it follows, as columns of the table."""
    families = (registry.measures.get(name) for name in registry.measures.names())
    return tuple(f"{definition}:{key}" for family in families for key in family.KINDS)


def _measure(definition: Definition, scan: Volume) -> list[float | None]:
    found = {score.name: score.value for score in measure(scan, definition=definition)}
    return [found[name.split(":", 1)[1]] for name in feature_names(definition)]
