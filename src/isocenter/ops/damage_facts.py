"""Numbers about a whole image that follow what damages it: how strong, along which axis.

Each artifact of :mod:`isocenter.artifacts` leaves a trace whose size is what its level means:
a spike's height over the maximum of the spectrum, the share missing from every n-th line, the
distance by which the head stands beside itself, the fall of the spectrum along an axis.
"""

from collections.abc import Sequence

from isocenter.data.shapes import Image3
from isocenter.ops.air_facts import air_facts
from isocenter.ops.ghost_facts import ghost_facts
from isocenter.ops.head_cells import find_cells
from isocenter.ops.motion_facts import motion_facts
from isocenter.ops.power_spectrum import power_spectrum
from isocenter.ops.spectrum_facts import spectrum_facts

__all__ = ["N_DAMAGE_FACTS", "damage_facts"]


def damage_facts(data: Image3, spacing: Sequence[float]) -> dict[str, float]:
    """All facts by name, always the same ones in the same order, always finite.

    What is known for each axis (a name with 0, 1 or 2 in second place) is followed by the same
    for the axis along which most stands in the air, the likely phase-encoding axis (``along``),
    and by the least and the largest of the three.

    Args:
        data: Magnitude image (x, y, z) on the grid that it was acquired on, arbitrary units.
        spacing: Voxel size, mm.
    """
    spectrum = power_spectrum(data)
    cells = find_cells(data, spacing, spectrum)
    facts = {
        **air_facts(data, cells),
        **spectrum_facts(spectrum, spacing, cells.scale),
        **motion_facts(data, spacing, cells.scale, spectrum),
        **ghost_facts(data, cells),
    }
    return {**facts, **_without_axes(facts)}


def _without_axes(facts: dict[str, float]) -> dict[str, float]:
    along = max(range(3), key=lambda axis: facts[f"shadow {axis}"])
    merged = {}
    for name in facts:
        kind, axis, *rest = [*name.split(" "), ""]
        if axis != "0" or kind not in _BY_AXIS:
            continue
        what = " ".join(rest).strip()
        three = [facts[f"{kind} {a} {what}".strip()] for a in range(3)]
        merged[f"{kind} along {what}".strip()] = three[along]
        merged[f"{kind} least {what}".strip()] = min(three)
        merged[f"{kind} most {what}".strip()] = max(three)
    return merged


_BY_AXIS = ("beat", "comb", "cone", "echo", "lines", "outside", "reach", "shadow")
N_DAMAGE_FACTS = 395
"""How many there are."""
