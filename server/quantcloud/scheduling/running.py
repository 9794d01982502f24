"""The runs that the engine has now."""

from collections import defaultdict
from dataclasses import dataclass

from quantcloud.domain.execution import is_short
from quantcloud.domain.job import Job
from quantcloud.storage import Claim


@dataclass(slots=True)
class RunCounts:
    """How many runs there are, and how many of them are not known to be short."""

    number: int = 0
    long: int = 0


class RunningJobs:
    """The runs that the engine has. `seconds` is the expected total time of the short ones."""

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}
        self.by_backend: defaultdict[str, RunCounts] = defaultdict(RunCounts)
        self.seconds = 0.0

    def __len__(self) -> int:
        return len(self._claims)

    def add(self, claim: Claim) -> None:
        if (former := self._claims.get(claim.job.id)) is not None:
            self.discard(former)
        self._claims[claim.job.id] = claim
        self._count(claim.job, 1)

    def discard(self, claim: Claim) -> None:
        if self._claims.get(claim.job.id) is claim:
            del self._claims[claim.job.id]
            self._count(claim.job, -1)

    def _count(self, job: Job, number: int) -> None:
        runs, seconds = self.by_backend[job.backend or ""], job.predicted_seconds
        runs.number += number
        if seconds is None or not is_short(seconds):
            runs.long += number
            return
        self.seconds += number * seconds
        if not self._claims:
            # Otherwise rounding errors would add up over millions of runs.
            self.seconds = 0.0
