"""Queue positions: reads a queue after changes and notifies the watches of its jobs."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import structlog

from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import Job, JobEvent, JobStatus
from quantcloud.watching.subscription import BATCH, Subscription

log = structlog.stdlib.get_logger(__name__)

# Changes that move other jobs in the backend's queue.
_MOVES = frozenset({JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.CANCELLED, JobStatus.FAILED})
# A queue with very many watches is read less often, so that events are not delayed.
_NOTIFIED_PER_SECOND = 2000


class QueuePositions(Protocol):
    """Knows the positions of queued jobs."""

    async def queue_position(self, job: Job) -> int | None: ...

    async def queue_positions(self, backend: str) -> Mapping[str, int]: ...


class QueueMonitor:
    """Reads a changed queue once for all its followers, at most once every `seconds`."""

    def __init__(self, queues: QueuePositions, seconds: float) -> None:
        self._queues = queues
        self._seconds = seconds
        # The followers of each backend's queue, each with its job's id.
        self._followers: defaultdict[str, dict[Subscription, str]] = defaultdict(dict)
        # Backends whose queue has changed since it was read.
        self._changed: set[str] = set()
        self._readers: dict[str, asyncio.Task[None]] = {}

    async def position(self, job: Job) -> int | None:
        """Return a job's position, from 1; None if it is not queued."""
        return await self._queues.queue_position(job)

    def follow(self, subscription: Subscription, backend: str, job_id: str) -> None:
        """Set a queued job's position in `subscription` each time its queue is read."""
        self._followers[backend][subscription] = job_id

    def leave(self, subscription: Subscription, backend: str) -> None:
        """Stop following."""
        followers = self._followers.get(backend)
        if followers is not None:
            followers.pop(subscription, None)
            if not followers:
                del self._followers[backend]

    def follows(self, backend: str | None) -> bool:
        """Whether a watch follows the queue of a backend."""
        return backend in self._followers

    def notice(self, *events: JobEvent) -> None:
        """Process committed events of one job: schedule a reading if they change a queue."""
        # Once set, a job's backend never changes.
        backend = events[-1].job.backend
        if backend is None or backend not in self._followers or backend in self._changed:
            return
        if any(event.job.status in _MOVES for event in events):
            self._changed.add(backend)
            if backend not in self._readers:
                self._readers[backend] = asyncio.ensure_future(self._read_changes(backend))

    async def _read_changes(self, backend: str) -> None:
        """Read a queue after a pause, and again if it has changed meanwhile."""
        while backend in self._changed and (followers := self._followers.get(backend)):
            await asyncio.sleep(max(self._seconds, len(followers) / _NOTIFIED_PER_SECOND))
            self._changed.discard(backend)
            await self._read(backend)
        self._changed.discard(backend)
        del self._readers[backend]

    async def _read(self, backend: str) -> None:
        try:
            positions = await self._queues.queue_positions(backend)
        except (Unavailable, Damaged) as error:
            log.warning("a queue could not be read", backend=backend, error=error.message)
            return
        except Exception:  # watches continue without positions
            log.exception("a queue could not be read", backend=backend)
            return
        followers = self._followers.get(backend, {})
        for number, subscription in enumerate(tuple(followers), 1):
            position = positions.get(followers.get(subscription, ""))
            if position is not None:
                subscription.set_position(position)
            if number % BATCH == 0:
                await asyncio.sleep(0)
