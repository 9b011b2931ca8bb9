"""What shading does to a scan, told by trees that know from where a head is usually lit.

A coil shades every head alike, and a network that looks at slabs can hardly tell that shading
from what was added to it.  How strong a smooth field is, and where it points, tells it better:
extremely randomised trees (Geurts et al. 2006, doi:10.1007/s10994-006-6226-1) learn from
training people what quality a given field leaves.  On validation people they alone did better
than the network or the mean of both.
"""

import torch
from torch import Tensor

from isocenter.assessors._outputs import OUTPUTS, TYPES
from isocenter.data.checkpoint import Checkpoint
from isocenter.errors import BadCheckpoint
from isocenter.ops.shading import N_SHADING_SIZES, N_SHADING_TERMS
from isocenter.ops.trees import Trees

__all__ = ["shading_tensors", "shading_trees", "with_trees"]

ALONE = sum(OUTPUTS.values()) - OUTPUTS["alone"] + TYPES.index("bias")
"""Where among the outputs the quality stands that ``bias`` alone would leave."""
PARTS = ("roots", "column", "number", "left")


def with_trees(outputs: Tensor, shading: Tensor, trees: Trees) -> Tensor:
    """The network's outputs, with the trees' word for the quality that ``bias`` alone leaves.

    Args:
        outputs: (..., n_outputs).
        shading: :func:`isocenter.ops.shading.shading_facts`, (..., 13).
        trees: From :func:`shading_trees`.

    Returns:
        (..., n_outputs).
    """
    said = torch.from_numpy(trees(shading.reshape(-1, shading.shape[-1])))
    told = outputs.clone()
    told[..., ALONE] = said.to(outputs).reshape(outputs.shape[:-1])
    return told


def shading_tensors(trees: Trees) -> dict[str, Tensor]:
    """The trees as fitted arrays of a checkpoint."""
    return {f"shading.{part}": torch.from_numpy(getattr(trees, part)) for part in PARTS}


def shading_trees(checkpoint: Checkpoint) -> Trees:
    """Inverse of :func:`shading_tensors`.

    Raises:
        BadCheckpoint: The checkpoint has none, or damaged ones.
    """
    names = [f"fitted.shading.{part}" for part in PARTS]
    if missing := [name for name in names if name not in checkpoint.tensors]:
        raise BadCheckpoint(f"these weights lack {missing[0]!r}; train them again")
    roots, column, number, left = (checkpoint.tensors[name].numpy() for name in names)
    trees = Trees(roots, column, number, left)
    if not trees.is_sound(N_SHADING_SIZES + N_SHADING_TERMS):
        raise BadCheckpoint("the trees of these weights do not fit together; train them again")
    return trees
