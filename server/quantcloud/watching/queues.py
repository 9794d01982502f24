"""Tells the watchers of queued jobs when their queue moved."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from quantcloud.domain.job import Job, JobEvent, JobStatus

log = structlog.stdlib.get_logger(__name__)

# Changes after which other jobs of the backend stand elsewhere in its queue.
_MOVES = frozenset({JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.CANCELLED, JobStatus.FAILED})

Positions = Callable[[str], Awaitable[Mapping[str, int]]]
"""The places, from 1, of the jobs that are queued for a backend, by job."""


class Follower(Protocol):
    """Who wants to know where a job stands."""

    def stands_at(self, position: int) -> None: ...


@dataclass(slots=True)
class _Place:
    job_id: str
    told: int | None = None


class QueueMonitor:
    """Reads a queue that moved once for all who follow it, at most once in `seconds`."""

    def __init__(self, positions: Positions, seconds: float) -> None:
        self._positions = positions
        self._seconds = seconds
        self._followers: defaultdict[str, dict[Follower, _Place]] = defaultdict(dict)
        self._due: set[str] = set()
        self._readings: set[asyncio.Task[None]] = set()

    def follow(self, follower: Follower, job: Job) -> None:
        """Tell `follower` of the job's place for as long as the job is queued."""
        if job.backend is None:
            return
        if job.status is JobStatus.QUEUED:
            self._followers[job.backend].setdefault(follower, _Place(job.id))
        else:
            self.leave(follower, job)

    def leave(self, follower: Follower, job: Job) -> None:
        """Tell `follower` nothing more."""
        if job.backend is not None and job.backend in self._followers:
            self._followers[job.backend].pop(follower, None)
            if not self._followers[job.backend]:
                del self._followers[job.backend]

    def notice(self, event: JobEvent) -> None:
        """Take a committed event."""
        backend = event.job.backend
        if (
            backend is not None
            and event.job.status in _MOVES
            and backend in self._followers
            and backend not in self._due
        ):
            self._due.add(backend)
            asyncio.get_running_loop().call_later(self._seconds, self._begin, backend)

    def _begin(self, backend: str) -> None:
        self._due.discard(backend)
        if backend in self._followers:
            reading = asyncio.ensure_future(self._read(backend))
            self._readings.add(reading)
            reading.add_done_callback(self._readings.discard)

    async def _read(self, backend: str) -> None:
        try:
            positions = await self._positions(backend)
        except Exception:  # the watch goes on without
            log.exception("a queue could not be read", backend=backend)
            return
        for follower, place in self._followers.get(backend, {}).items():
            position = positions.get(place.job_id)
            if position is not None and position != place.told:
                place.told = position
                follower.stands_at(position)
