"""What a candidate is: something that does the membership job on an input topic."""

from pathlib import Path
from typing import NamedTuple, Protocol

from membership.process import Pinned

COMMIT_INTERVAL_MS = 500


class Restored(NamedTuple):
    """A restore of dropped state: when it began and when all was ready (epoch s), and the changelog records read."""

    began_s: float
    ready_s: float
    records: int


class Candidate(Protocol):
    """Started with an empty state it reads the input from its begin; started again it goes on."""

    name: str
    group: str
    view: str
    """The topic of the published rows."""
    state: Path
    """The directory of the local state."""

    def prepare(self) -> None:
        """Make everything as before the first start."""

    def start(self) -> Pinned:
        """Start the process."""

    def restored(self, process: Pinned) -> Restored | None:
        """Tell of the restore of this start, None while it is not ready."""

    @property
    def restores(self) -> bool:
        """Whether its restore is measured."""
