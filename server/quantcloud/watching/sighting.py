"""What watchers are sent."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from quantcloud.domain.job import JobEvent, JobStatus


class Sighting(NamedTuple):
    """A change, or a checkpoint, which is none: a sign of life, or a queue that moved.

    In a checkpoint `event` is None, but for the first of a watch of one job that was sent no change
    yet: then it is the job's latest. `sequence` is 0 in one of an account. A watch resumes after
    `sequence` or `cursor`.
    """

    sequence: int
    cursor: int
    event: JobEvent | None = None
    checkpoint: bool = False
    queue_position: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which changes of an account are sent: those that meet each condition that is given."""

    statuses: Collection[JobStatus] = ()
    batch_id: str | None = None

    @property
    def of_each_job(self) -> "Filter":
        """The same, but for events that tell where an earlier one that is wanted stands."""
        if JobStatus.QUEUED in self.statuses:
            return Filter(batch_id=self.batch_id)
        return self

    def wants(self, event: JobEvent) -> bool:
        job = event.job
        if self.batch_id is not None and job.batch_id != self.batch_id:
            return False
        return not self.statuses or job.status in self.statuses
