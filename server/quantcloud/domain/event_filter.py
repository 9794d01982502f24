"""Which events of an account are wanted, and what the log has of them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.domain.value_object import value_object


@value_object
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


class Stretch(NamedTuple):
    """Events of an account that are wanted, in order, and whether the log has more of it, wanted or
    not: what comes after `cursor`.
    """

    events: Sequence[JobEvent]
    cursor: int
    more: bool
