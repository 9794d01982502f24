"""A fixed number of places for workers, each filled again when its worker ends."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from quantcloud.engine.control import Role
from quantcloud.engine.processes import WorkerProcess
from quantcloud.engine.supervisor import Supervisor

# A worker that ends by itself sooner than this, in seconds, is not replaced before it is needed:
# the next one might end as fast, and the one after.
_SHORT_LIFE = 1.0

# After so many answers a worker is replaced. Forking one is cheap, and what a simulator leaks
# would sooner or later count against the memory limit of an innocent run.
_ANSWERS = 1000


class Slot:
    """A place for one worker."""

    def __init__(self, supervisor: Supervisor, role: Role) -> None:
        self._supervisor = supervisor
        self._role = role
        self._worker: WorkerProcess | None = None
        self._coming: asyncio.Future[WorkerProcess] | None = None

    @property
    def is_ready(self) -> bool:
        return self._worker is not None and self._worker.alive

    async def worker(self, preloaded: int) -> WorkerProcess:
        """Give a live worker that was forked when at least `preloaded` backends were.

        Raises `ForkFailed`.
        """
        while True:
            worker = self._worker
            if worker is not None and worker.alive and worker.preloaded >= preloaded:
                return worker
            if self._coming is None:
                self.renew()
            elif self._coming.done():
                self._take(self._coming)
            else:
                await asyncio.shield(self._coming)

    def renew(self) -> None:
        """End the worker, if there is one, and order another."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None
        if self._coming is None:
            self._coming = self._supervisor.fork(self._role)
            self._coming.add_done_callback(self._take)

    def renew_if_worn(self) -> None:
        """Replace a worker that has ended, has served long, or lacks what is imported since."""
        worker = self._worker
        if worker is None:
            return
        is_stale = self._supervisor.is_warm and worker.preloaded < self._supervisor.preloaded
        if not worker.alive or worker.answered >= _ANSWERS or is_stale:
            self.renew()

    def _take(self, coming: asyncio.Future[WorkerProcess]) -> None:
        if self._coming is not coming:
            return
        self._coming = None
        if not coming.cancelled() and coming.exception() is None:
            self._worker = coming.result()
            self._worker.exit_status.add_done_callback(self._note_end)

    def _note_end(self, exit_status: "asyncio.Future[int | None]") -> None:
        worker = self._worker
        if worker is None or worker.exit_status is not exit_status:
            return
        self._worker = None
        lived = asyncio.get_running_loop().time() - worker.born
        if worker.answered or lived > _SHORT_LIFE:
            self.renew()


class Slots:
    """All slots of one role."""

    def __init__(self, supervisor: Supervisor, role: Role, size: int) -> None:
        self._free = [Slot(supervisor, role) for _ in range(size)]
        self._room = asyncio.Semaphore(size)

    def renew_free(self) -> None:
        """Replace the workers of all free slots."""
        for slot in self._free:
            slot.renew()

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot]:
        """Have a slot to oneself; whoever asks first gets one first."""
        async with self._room:
            ready = (index for index, slot in enumerate(self._free) if slot.is_ready)
            slot = self._free.pop(next(ready, 0))
            try:
                yield slot
            finally:
                slot.renew_if_worn()
                self._free.append(slot)
