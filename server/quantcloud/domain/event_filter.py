"""Selects events of an account, and holds a part of its event log."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.domain.value_object import value_object


@value_object
class EventFilter:
    """Selects the events that meet all given conditions."""

    statuses: Collection[JobStatus] = ()
    batch_id: str | None = None

    @property
    def of_each_job(self) -> "EventFilter":
        """The filter with which a watch reads events.

        A watch of `queued` events also reads the later ones, to know which jobs left the queue.
        """
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
    """Selected events of an account up to `cursor`, in order.

    `more` says whether the log has events after `cursor`, selected or not.
    """

    events: Sequence[JobEvent]
    cursor: int
    more: bool
