"""What MRIQC measures of an anatomical scan, one family a file; the file's name is its entry.

A family is a function of its file's name, ``(anatomy, *, definition)``, that gives a score for
each of its keys, under MRIQC's names.  What has no value is missing with its reason, never 0,
-1 or NaN.  The file also says, as constants:

``KINDS``       by key: unit, direction, least and largest value
``SOURCE``      DOI or address of what defines it
``VALIDATED``   what its numbers were compared with

Masks, tissues and shading come from :mod:`isocenter.ops` or from the caller; those of MRIQC
come from ANTs, SynthStrip and a registration to MNI, so values agree with MRIQC's in formula
and not to the last digit.
"""

from functools import partial
from typing import get_args

from isocenter import registry
from isocenter.data.scores import Score
from isocenter.data.shapes import Mask3
from isocenter.data.volume import Volume
from isocenter.errors import UnknownName
from isocenter.measures._anatomy import Anatomy, Template, find_anatomy
from isocenter.measures._scores import Definition, Kind, scores
from isocenter.ops.tissue import TissueMaps

__all__ = ["Anatomy", "Definition", "Template", "find_anatomy", "measure"]

GRID = {
    **dict.fromkeys(("size_x", "size_y", "size_z"), Kind(unit="voxels", low=1.0)),
    **dict.fromkeys(("spacing_x", "spacing_y", "spacing_z"), Kind(unit="mm", low=0.0)),
}


def measure(
    volume: Volume,
    *,
    definition: str = "corrected",
    head: Mask3 | None = None,
    brain: Mask3 | None = None,
    tissue: TissueMaps | None = None,
    template: Template | None = None,
) -> tuple[Score, ...]:
    """All measures of one anatomical scan, under MRIQC's names, family by family.

    Args:
        volume: A scan of a head, of any contrast that the tissues can be told apart in.
        definition: Whose formulas: ``"corrected"``, ``"mriqc-24"`` or ``"mriqc-0.15"``.
        head: Where the head is; found when not given, as are the others.
        brain: Where the brain is.
        tissue: Probabilities of cerebrospinal fluid, grey and white matter, and the shading.
        template: The same probabilities of a template, as images on the scan's grid or as
            volumes on their own, which are registered to the scan's tissues by an affine map;
            without it the overlap with a template is missing.

    Returns:
        68 scores; ``why_missing`` says why one has no value.

    Raises:
        UnknownName: No such definition.
        UsageError: A mask or map is on another grid.
    """
    known: dict[str, Definition] = {name: name for name in get_args(Definition)}
    if definition not in known:
        raise UnknownName("definition", definition, known)
    anatomy = find_anatomy(volume, head=head, brain=brain, tissue=tissue, template=template)
    found: list[Score] = []
    for name in registry.measures.names():
        family = getattr(registry.measures.get(name), name)
        found.extend(family(anatomy, definition=known[definition]))
    return (*found, *_grid(volume))


def _grid(volume: Volume) -> tuple[Score, ...]:
    """``size_x`` to ``size_z`` and ``spacing_x`` to ``spacing_z``."""
    values = dict(zip(GRID, (*volume.shape, *volume.spacing), strict=True))
    return scores(GRID, {name: partial(float, value) for name, value in values.items()})
