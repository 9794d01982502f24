"""The beginning of a run, as it is written."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from quantcloud.aio.retry import retrying
from quantcloud.domain.errors import NotFound
from quantcloud.domain.job import Change, InvalidTransitionError, JobStatus, StaleLeaseError
from quantcloud.storage import Claim, Store

REFUSALS = (StaleLeaseError, InvalidTransitionError, NotFound)
"""What a write of a run raises whose job was cancelled, or whose lease has ended."""

_SOON_SECONDS = 0.01

log = structlog.stdlib.get_logger(__name__)


class StartRecord:
    """The change of a run to running: written with the run's end where that comes soon.

    Most circuits take less time than a commit. Whoever watches a longer one hears of its beginning
    after `_SOON_SECONDS`.
    """

    def __init__(self, store: Store, claim: Claim, clock: Callable[[], datetime]) -> None:
        self._store = store
        # The job as far as it is written.
        self.record = claim.record
        self._lease = claim.lease
        self._clock = clock
        self._began = time.monotonic()
        self._change: Change | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[object] | None = None

    @property
    def seconds(self) -> float:
        """How long ago the run began; 0 where it has not."""
        return 0.0 if self._change is None else time.monotonic() - self._began

    @property
    def refused(self) -> bool:
        """Whether the beginning may not be written: the job was cancelled, or its lease lost."""
        writing = self._writing
        return (
            writing is not None
            and writing.done()
            and not writing.cancelled()
            and isinstance(writing.exception(), REFUSALS)
        )

    def begin(self, stop: Callable[[], object]) -> None:
        """Note that the run has begun; `stop` is called where that may not be written."""
        self._began = time.monotonic()
        self._change = Change(JobStatus.RUNNING, self._clock())
        self._timer = asyncio.get_running_loop().call_later(_SOON_SECONDS, self._write, stop)

    async def changes(self) -> Sequence[Change]:
        """What is still to be written with the end. Raises where the beginning was refused."""
        if self._timer is not None:
            self._timer.cancel()
        if self._change is None:
            return ()
        if self._writing is not None:
            try:
                await self._writing
            except REFUSALS:
                raise
            except Exception:
                # It may go better with the end.
                log.exception("a beginning could not be written", job_id=self.record.job.id)
            else:
                return ()
        return (self._change,)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None and not self._writing.done():
            # It may have been waiting for the store for long.
            self._writing.cancel()
            await asyncio.wait([self._writing])

    def _write(self, stop: Callable[[], object]) -> None:
        if self._change is None:
            return
        self._writing = asyncio.ensure_future(self._note(self._change))
        # Its result could not be written either.
        self._writing.add_done_callback(lambda _: self.refused and stop())

    async def _note(self, change: Change) -> None:
        job, lease = self.record.job, self._lease
        try:
            events = await retrying(lambda: self._store.jobs.advance(job.id, [change], lease=lease))
            self.record = replace(self.record, job=events[-1].job)
        except InvalidTransitionError as error:
            # An earlier try was carried out, and only its answer was lost.
            if error.present is not JobStatus.RUNNING:
                raise
