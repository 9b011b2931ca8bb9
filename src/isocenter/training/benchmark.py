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

__all__ = ["BenchmarkSet"]

Input = TypeVar("Input")


class BenchmarkSet(Dataset[tuple[Input, int, str]], Generic[Input]):
    """Every version of every scan, scan by scan: the images that ``isocenter simulate`` writes.

    Item ``i`` is version ``i % V`` of scan ``i // V``, drawn from its names and the seed, and so
    the same in every epoch, process and order.  It equals the written image to the rounding of
    its storage.
    """

    def __init__(
        self,
        scans: Sequence[Scan],
        versions: Sequence[Version],
        seed: int,
        prepare: Callable[[Volume], Input],
        *,
        n_kept: int = 2,
    ) -> None:
        """
        Args:
            scans: Undamaged.
            versions: From :func:`isocenter.artifacts.benchmark_versions`; their order is that of
                the labels.
            seed: That of the benchmark.
            prepare: From an image to what a network takes.
            n_kept: Scans kept in memory: versions of one scan that are asked for one after the
                other are drawn after one reading.
        """
        self.scans = tuple(scans)
        self.versions = tuple(versions)
        self.seed = seed
        self.prepare = prepare
        self.n_kept = n_kept
        self._kept: OrderedDict[Scan, Volume] = OrderedDict()

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
        image = make_version(
            self._load(scan),
            self.versions[label],
            person=scan.person,
            scan_name=scan_name(scan),
            seed=self.seed,
        )
        return self.prepare(image), label, scan.person

    def _load(self, scan: Scan) -> Volume:
        if scan not in self._kept:
            self._kept[scan] = read(scan.path, contrast=scan.contrast)
            while len(self._kept) > self.n_kept:
                self._kept.popitem(last=False)
        return self._kept[scan]
