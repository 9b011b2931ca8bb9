"""Which pictures of a scan are shown."""

from isocenter.data.scores import Plane, View
from isocenter.data.volume import Volume
from isocenter.ops.pictures import picture
from isocenter.ops.slabs import Head

__all__ = ["PLANES", "views_of"]

PLANES: tuple[Plane, Plane, Plane] = ("sagittal", "coronal", "axial")


def views_of(scan: Volume, head: Head, worst: tuple[tuple[int, int], ...]) -> tuple[View, ...]:
    """Three planes through the head's centre, then the worst slices.

    Args:
        scan: What is shown.
        head: Centre and brightness.
        worst: (axis, index), worst first.
    """
    centre = [(first + last) // 2 for first, last in zip(head.first, head.last, strict=True)]
    thick = [axis for axis in range(3) if scan.shape[axis] > 1]
    shown = [(axis, centre[axis], False) for axis in reversed(range(3)) if len(thick) == 3]
    shown = shown or [(axis, centre[axis], False) for axis in range(3) if axis not in thick][:1]
    shown += [(axis, index, True) for axis, index in worst]
    return tuple(_view(scan, head, axis, index, bad) for axis, index, bad in shown)


def _view(scan: Volume, head: Head, axis: int, index: int, worst: bool) -> View:
    plane = PLANES[axis]
    title = f"{plane} {index}" + (", among the worst" if worst else "")
    return View(title, picture(scan, head.scale, axis, index), plane, index, worst)
