"""Recipe of the shipped assessor: the improved HSFNet on simulated damage."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from isocenter.assessors._outputs import OUTPUTS
from isocenter.data.preprocess import Slabs
from isocenter.data.random import child, generator
from isocenter.datasets.collection import Source, sources
from isocenter.nets.hsfnet import Config
from isocenter.ops.slabs import N_FACTS
from isocenter.training.loop import Schedule
from isocenter.training.splits import Split, check_disjoint, split_people

__all__ = ["AssessorRecipe"]


@dataclass(frozen=True)
class AssessorRecipe:
    """Everything that decides the weights, but for the data folder."""

    seed: int = 7
    n_slabs: int = 8
    """Slabs cut from every simulated scan."""
    repeats: int = 3
    """How often every simulated scan is learned from."""
    schedule: Schedule = field(
        default_factory=lambda: Schedule(n_steps=4200, batch=8, sets=2, warm_up=150)
    )
    preprocess: Slabs = field(default_factory=Slabs)
    config: Config = field(
        default_factory=lambda: Config(
            mode="improved",
            branches=("spatial", "spectrum"),
            n_inputs=3,
            n_features=(96, 96),
            n_outputs=sum(OUTPUTS.values()),
            dims=(48, 96, 192),
            depths=(1, 2, 1),
            n_states=4,
            drop_path=0.05,
            n_facts=N_FACTS,
            stem=16,
        )
    )
    shares: tuple[tuple[str, float], ...] = (("train", 0.6), ("validation", 0.15), ("test", 0.25))
    fixed: tuple[tuple[str, str], ...] = (
        # The only head with air around it that is not painted: it must be learned from.
        ("dicom/head", "train"),
        # The sample scan of the package stays unseen.
        ("brains/sub-67", "test"),
    )

    def split(self, found: tuple[Source, ...]) -> Split:
        """People of each side; every data set is dealt for itself."""
        sides: dict[str, list[str]] = {side: [] for side, _ in self.shares}
        for folder in sorted({source.person.split("/")[0] for source in found}):
            people = [s.person for s in found if s.person.startswith(folder + "/")]
            fixed = {p: side for p, side in self.fixed if p in people}
            rng = child(generator(self.seed), "split", folder)
            dealt = split_people(people, dict(self.shares), rng=rng, fixed=fixed)
            for side, members in dealt.items():
                sides[side] += members
        split = {side: tuple(sorted(members)) for side, members in sides.items()}
        check_disjoint(split)
        return split

    def side(self, root: Path, side: str) -> tuple[Source, ...]:
        """Scans of the people on one side."""
        found = sources(root)
        members = set(self.split(found)[side])
        return tuple(source for source in found if source.person in members)

    def to_json(self) -> dict[str, object]:
        """Plain values, for the card."""
        return asdict(self)
