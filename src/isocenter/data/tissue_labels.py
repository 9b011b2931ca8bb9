"""Which tissue the labels of FreeSurfer stand for, as SynthSeg and others write them too."""

from __future__ import annotations

from itertools import chain

__all__ = ["FLUID", "GREY", "LESION", "TISSUE_OF_LABELS", "VESSEL", "WHITE"]

WHITE = (2, 41, 7, 46, 16, 28, 60, 85)
"""Cerebral and cerebellar white matter, brain stem, ventral diencephalon, optic chiasm."""
GREY = (3, 42, 8, 47, 10, 49, 11, 50, 12, 51, 13, 52, 17, 53, 18, 54, 26, 58, 136, 137, 163, 164)
"""Cortex, cerebellar cortex, thalamus, basal ganglia, hippocampus, amygdala."""
FLUID = (4, 5, 14, 15, 24, 43, 44, 72)
"""Ventricles, and the fluid around the brain."""
LESION, VESSEL = (25, 57), (30, 62)
CHOROID_PLEXUS = (31, 63)
HYPOINTENSITIES = (77, 78, 79)
CORPUS_CALLOSUM = (192, *range(251, 256))
CORTEX = tuple(chain(range(1000, 3000), range(11100, 13000)))
"""Parcels of the cortex, left and right, in the Desikan-Killiany and the Destrieux atlas."""
BELOW_CORTEX = tuple(chain(range(3000, 5003), range(13100, 15000)))
"""White matter by the nearest parcel, and what is too far from any."""
TISSUE_OF_LABELS = {
    "csf": FLUID + VESSEL + CHOROID_PLEXUS,
    "gm": GREY + CORTEX,
    "wm": WHITE + LESION + HYPOINTENSITIES + CORPUS_CALLOSUM + BELOW_CORTEX,
}
"""By tissue; any other label is none."""
