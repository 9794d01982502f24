"""A scheduler with a real store, and an engine that a test controls."""

import asyncio
from typing import Any

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import Job
from quantcloud.domain.sweep import Sweep
from quantcloud.routing.method import Method
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import NewJob, Store
from unit.storage.builders import ANALYSIS, QASM, T0, routed

DEADLINE = 10


class Engine:
    """Runs that end when the test allows. Records which runs started and which were cancelled."""

    slots, cores, backlog = 2, 2, 8

    def __init__(self) -> None:
        self.started: asyncio.Queue[str] = asyncio.Queue()
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Event()
        self.may_cancel = asyncio.Event()
        self.may_cancel.set()

    def is_ready(self, backend):
        return True

    def subscribe(self, listener):
        pass

    async def execute(self, execution, *, time_limit, on_start):
        on_start()
        self.started.put_nowait(execution.job_id)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled.put_nowait(execution.job_id)
            await self.may_cancel.wait()
            raise
        return Outcome({"00": execution.shots}, 1.0)


class Served:
    """A store, an engine, and the scheduler between them."""

    def __init__(
        self, store: Store, engine: Any = None, *, check_seconds: float = 3600.0, **options: float
    ) -> None:
        self.store = store
        self.engine = engine or Engine()
        fleet = Fleet(installed_backends(), memory_limit=1 << 30)
        self.scheduler = Scheduler(
            store, self.engine, fleet, owner="server-1", clock=lambda: T0,
            limits=DEFAULT_TIERS.__getitem__, check_seconds=check_seconds, **options,
        )  # fmt: skip
        self.ended: asyncio.Queue[Job] = asyncio.Queue()
        self._submitted = 0
        self.stop_listening = store.subscribe(self._listen)

    def _listen(self, events) -> None:
        for event in events:
            if event.job.status.is_terminal:
                self.ended.put_nowait(event.job)

    def submit(self, job: Job, sweep: Sweep | None = None, **needs: int) -> asyncio.Future:
        """Submit a job whose run needs `memory_bytes` and `cores`."""
        method = Method("statevector", **{"memory_bytes": 0, "seconds": 1.0, **needs})
        # One second after another.
        self._submitted += 1
        new = NewJob(job, QASM, ANALYSIS, routed(self._submitted), method=method, sweep=sweep)
        return asyncio.ensure_future(self.scheduler.submit([new], max_waiting=None))
