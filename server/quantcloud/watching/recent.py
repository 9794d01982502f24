"""The most recent events, for watches that begin soon after them."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quantcloud.domain.job import JobEvent

_MAX_WEIGHT = 2048
_SECONDS = 5.0
# How many outcomes of a result count as much as one event.
_OUTCOMES = 16


@dataclass(slots=True)
class _Published:
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    weight: int = 0
    last_at: float = 0.0


class RecentEvents:
    """Caches recently published events by job: most watches begin right after the submission.

    The cache is bounded in size and time. If several servers share a database, a later event of a
    job may not have reached this server yet. A watch gets such an event when it arrives, like any
    other.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The job that changed most recently is last.
        self._by_job: OrderedDict[str, _Published] = OrderedDict()
        self._weight = 0

    def add(self, *events: JobEvent) -> None:
        """Add events of one job that were just published, in order."""
        job_id = events[0].job.id
        cached = self._by_job.get(job_id)
        for event in events:
            if cached is not None:
                latest = cached.events[-1].sequence
                if event.sequence <= latest:
                    continue
                if event.sequence > latest + 1:  # some are missing
                    self._drop(job_id)
                    cached = None
            if cached is None:
                cached = self._by_job[job_id] = _Published()
            cached.events.append(event)
            added = weight(event)
            cached.weight += added
            self._weight += added
            cached.last_at = self._clock()
            self._by_job.move_to_end(job_id)
        while self._weight > _MAX_WEIGHT:
            self._drop(next(iter(self._by_job)))

    def after(
        self, account_id: str, job_id: str, sequence: int | None
    ) -> Sequence[JobEvent] | None:
        """Return the job's events after `sequence`, or its latest without one: at least one event.

        Returns None if the log must be read.
        """
        cached = self._by_job.get(job_id)
        if cached is None or cached.events[0].job.account_id != account_id:
            return None
        if cached.last_at + _SECONDS < self._clock():
            self._drop(job_id)
            return None
        events = cached.events
        if sequence is None:
            return events[-1:]
        place = sequence + 1 - events[0].sequence
        if not 0 <= place < len(events):
            return None
        return events[place:]

    def has(self, job_id: str) -> bool:
        """Whether a watch may get events of a job from here."""
        cached = self._by_job.get(job_id)
        return cached is not None and cached.last_at + _SECONDS >= self._clock()

    def _drop(self, job_id: str) -> None:
        self._weight -= self._by_job.pop(job_id).weight


def weight(event: JobEvent) -> int:
    """Return how much an event counts against a limit of events in memory."""
    return 1 if event.result is None else 1 + event.result.size // _OUTCOMES
