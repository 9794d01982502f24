"""Which events of an account are wanted."""

from collections.abc import Collection
from dataclasses import dataclass

from quantcloud.domain.job import JobEvent, JobStatus


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Those that meet each condition that is given."""

    statuses: Collection[JobStatus] = ()
    batch_id: str | None = None

    @property
    def of_each_job(self) -> "EventFilter":
        """The same, but for events that tell where an earlier one that is wanted stands."""
        if JobStatus.QUEUED in self.statuses:
            return EventFilter(batch_id=self.batch_id)
        return self

    def wants(self, event: JobEvent) -> bool:
        job = event.job
        if self.batch_id is not None and job.batch_id != self.batch_id:
            return False
        return not self.statuses or job.status in self.statuses


EVERYTHING = EventFilter()
