"""The events of the last moments, for watches that begin soon after."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quantcloud.domain.job import JobEvent

_WEIGHT = 2048
_SECONDS = 5.0
# A result's outcomes that weigh as much as an event without one.
_OUTCOMES = 16


@dataclass(slots=True)
class _Told:
    events: list[JobEvent]
    weight: int
    last_at: float


class RecentEvents:
    """What was published last, by job: most watches begin right after the submission.

    Bounded in number and time, so it is no more than a short cut. Where several servers share a
    database, a job's last event here may be followed by one that is on its way to this server; a
    watch has it as soon as it comes, as always.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # The job that changed last is last.
        self._by_job: OrderedDict[str, _Told] = OrderedDict()
        self._weight = 0

    def add(self, *events: JobEvent) -> None:
        """Take events of one job, in their order, that were just published."""
        job_id = events[0].job.id
        told = self._by_job.get(job_id)
        first, last = events[0].sequence, events[-1].sequence
        if len(events) > 1 and (
            last - first != len(events) - 1 or (told and first <= told.events[-1].sequence)
        ):
            # Some are missing, or here already.
            for event in events:
                self.add(event)
            return
        if told is not None and first <= told.events[-1].sequence:
            return
        added = sum(map(weight, events))
        if told is not None and first == told.events[-1].sequence + 1:
            told.events += events
            told.weight += added
            told.last_at = self._clock()
            self._by_job.move_to_end(job_id)
        else:
            if told is not None:
                self._drop(job_id)
            self._by_job[job_id] = _Told([*events], added, self._clock())
        self._weight += added
        while self._weight > _WEIGHT:
            self._drop(next(iter(self._by_job)))

    def after(
        self, account_id: str, job_id: str, sequence: int | None
    ) -> Sequence[JobEvent] | None:
        """The job's events after `sequence`, or without one its latest: at least one event.

        None where the log must be asked.
        """
        told = self._by_job.get(job_id)
        if told is None or told.events[0].job.account_id != account_id:
            return None
        if told.last_at + _SECONDS < self._clock():
            self._drop(job_id)
            return None
        events = told.events
        if sequence is None:
            return events[-1:]
        place = sequence + 1 - events[0].sequence
        if not 0 <= place < len(events):
            return None
        return events[place:]

    def _drop(self, job_id: str) -> None:
        self._weight -= self._by_job.pop(job_id).weight


def weight(event: JobEvent) -> int:
    """What an event counts where a bounded number is kept."""
    return 1 if event.result is None else 1 + event.result.size // _OUTCOMES
