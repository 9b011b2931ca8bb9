"""The benchmark without files: every version drawn when it is asked for."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from torch.utils.data import Dataset

from isocenter.artifacts import Version, make_version
from isocenter.data.io import read
from isocenter.data.volume import Volume
from isocenter.datasets.benchmark import scan_name
from isocenter.datasets.scan import Scan

__all__ = ["BenchmarkSet", "Simulator"]

Input = TypeVar("Input")


class Simulator:
    """Draws any version of any scan; the undamaged scans asked for last stay in memory.

    What is drawn depends on the scan's names, the version and the seed alone, and so is the same
    in every epoch, process and order.  It equals the image that ``isocenter simulate`` writes, to
    the rounding of its storage.
    """

    def __init__(self, load: Callable[[Scan], Volume] | None = None, *, n_kept: int = 2) -> None:
        """
        Args:
            load: Gives the undamaged scan; reads its file when not given.
            n_kept: Scans kept in memory: versions of one scan that are asked for one after the
                other are drawn after one reading.
        """
        self.load = load or _read
        self.n_kept = n_kept
        self._kept: OrderedDict[Scan, Volume] = OrderedDict()

    def __call__(self, scan: Scan, version: Version, seed: int) -> Volume:
        """A version of a scan.

        Args:
            scan: Undamaged.
            version: What is done to it.
            seed: That of the benchmark.

        Raises:
            InputError: The scan cannot be read.
        """
        return make_version(
            self._loaded(scan), version, person=scan.person, scan_name=scan_name(scan), seed=seed
        )

    def _loaded(self, scan: Scan) -> Volume:
        if scan not in self._kept:
            self._kept[scan] = self.load(scan)
            while len(self._kept) > self.n_kept:
                self._kept.popitem(last=False)
        return self._kept[scan]


class BenchmarkSet(Dataset[tuple[Input, int, str]], Generic[Input]):
    """Every version of every scan, scan by scan: the images that ``isocenter simulate`` writes.

    Item ``i`` is version ``i % V`` of scan ``i // V``, as :class:`Simulator` draws it.
    """

    def __init__(
        self,
        scans: Sequence[Scan],
        versions: Sequence[Version],
        seed: int,
        prepare: Callable[[Volume], Input],
        *,
        simulator: Simulator | None = None,
    ) -> None:
        """
        Args:
            scans: Undamaged.
            versions: From :func:`isocenter.artifacts.benchmark_versions`; their order is that of
                the labels.
            seed: That of the benchmark.
            prepare: From an image to what a network takes.
            simulator: How scans are loaded, and how many are kept.
        """
        self.scans = tuple(scans)
        self.versions = tuple(versions)
        self.seed = seed
        self.prepare = prepare
        self.simulator = simulator or Simulator()

    def __len__(self) -> int:
        return len(self.scans) * len(self.versions)

    def __getitem__(self, index: int) -> tuple[Input, int, str]:
        """Prepared image, place of its version in ``versions``, and person.

        Raises:
            IndexError: There is no such item.
            InputError: The scan cannot be read.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        place, label = divmod(index % len(self), len(self.versions))
        scan = self.scans[place]
        image = self.simulator(scan, self.versions[label], self.seed)
        return self.prepare(image), label, scan.person


def _read(scan: Scan) -> Volume:
    return read(scan.path, contrast=scan.contrast)
