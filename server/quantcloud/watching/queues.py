"""Where queued jobs stand, and who is told when their queue moved."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Protocol

import structlog

from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import Job, JobEvent, JobStatus
from quantcloud.watching.subscription import Subscription, in_turns

log = structlog.stdlib.get_logger(__name__)

# Changes after which other jobs of the backend stand elsewhere in its queue.
_MOVES = frozenset({JobStatus.QUEUED, JobStatus.DISPATCHED, JobStatus.CANCELLED, JobStatus.FAILED})
# A queue in which very many wait is told of less often, so that events are not held up.
_TOLD_PER_SECOND = 2000


class QueuePositions(Protocol):
    """Where it is known which jobs are queued."""

    async def queue_position(self, job: Job) -> int | None: ...

    async def queue_positions(self, backend: str) -> Mapping[str, int]: ...


class QueueMonitor:
    """Reads a queue that moved once for all who follow it, at most once in `seconds`."""

    def __init__(self, queues: QueuePositions, seconds: float) -> None:
        self._queues = queues
        self._seconds = seconds
        # By backend, each with its job's id.
        self._followers: defaultdict[str, dict[Subscription, str]] = defaultdict(dict)
        self._due: set[str] = set()
        self._readings: dict[str, asyncio.Task[None]] = {}
        # Those that moved while they were read.
        self._moved: set[str] = set()

    async def position(self, job: Job) -> int | None:
        """Where a job stands, from 1; None for one that is not queued."""
        return await self._queues.queue_position(job)

    def follow(self, subscription: Subscription, backend: str, job_id: str) -> None:
        """Tell `subscription` where a queued job stands each time its queue was read."""
        self._followers[backend][subscription] = job_id

    def leave(self, subscription: Subscription, backend: str) -> None:
        """Tell `subscription` nothing more."""
        followers = self._followers.get(backend)
        if followers is not None:
            followers.pop(subscription, None)
            if not followers:
                del self._followers[backend]

    def notice(self, *events: JobEvent) -> None:
        """Take committed events of one job."""
        # A job keeps the backend that it was given once.
        backend = events[-1].job.backend
        if backend is None or backend not in self._followers or backend in self._due:
            return
        if any(event.job.status in _MOVES for event in events):
            self._due.add(backend)
            pause = max(self._seconds, len(self._followers[backend]) / _TOLD_PER_SECOND)
            asyncio.get_running_loop().call_later(pause, self._begin, backend)

    def _begin(self, backend: str) -> None:
        self._due.discard(backend)
        if backend in self._readings:
            # Two at once might tell what is older last.
            self._moved.add(backend)
        elif backend in self._followers:
            self._readings[backend] = reading = asyncio.ensure_future(self._read(backend))
            reading.add_done_callback(lambda _: self._was_read(backend))

    def _was_read(self, backend: str) -> None:
        del self._readings[backend]
        if backend in self._moved:
            self._moved.discard(backend)
            self._begin(backend)

    async def _read(self, backend: str) -> None:
        try:
            positions = await self._queues.queue_positions(backend)
        except (Unavailable, Damaged) as error:
            log.warning("a queue could not be read", backend=backend, error=error.message)
            return
        except Exception:  # the watch goes on without
            log.exception("a queue could not be read", backend=backend)
            return
        followers = self._followers.get(backend, {})

        def tell(subscription: Subscription) -> None:
            position = positions.get(followers.get(subscription, ""))
            if position is not None:
                subscription.stands_at(position)

        # The next reading begins when all were told of this one.
        told = asyncio.Event()
        in_turns(tell, tuple(followers), told.set)
        await told.wait()
