"""The record that a run has started."""

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
"""The errors of a run's write if its job was cancelled or its lease has ended."""

_WRITE_AFTER_SECONDS = 0.01

log = structlog.stdlib.get_logger(__name__)


class StartRecord:
    """The change of a job to `running`. It is written together with the run's end if that is soon.

    Most circuits take less time than a commit. For longer ones, the change is written after
    `_WRITE_AFTER_SECONDS`, so that watchers see it. `stop` is called if the store refuses it.
    """

    def __init__(
        self,
        store: Store,
        claim: Claim,
        clock: Callable[[], datetime],
        stop: Callable[[], object],
    ) -> None:
        self._store = store
        # The job as last written.
        self.record = claim.record
        self._lease = claim.lease
        self._clock = clock
        self._stop = stop
        self._began = time.monotonic()
        self._change: Change | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[object] | None = None

    @property
    def seconds(self) -> float:
        """How many seconds ago the run started; 0 if it has not."""
        return 0.0 if self._change is None else time.monotonic() - self._began

    @property
    def refused(self) -> bool:
        """Whether the start was refused: the job was cancelled, or its lease was lost."""
        writing = self._writing
        return (
            writing is not None
            and writing.done()
            and not writing.cancelled()
            and isinstance(writing.exception(), REFUSALS)
        )

    def begin(self, began: float | None = None) -> None:
        """Note that the run has started: now, or at `began` by `time.monotonic`."""
        self._began = time.monotonic() if began is None else began
        self._change = Change(JobStatus.RUNNING, self._clock())
        self._timer = asyncio.get_running_loop().call_later(_WRITE_AFTER_SECONDS, self._write)

    async def write(self) -> None:
        """Write that the run has started, if it is not written. Raises an error of `REFUSALS`."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is None:
            self._write()
        if self._writing is not None:
            await self._writing

    async def changes(self) -> Sequence[Change]:
        """Return the changes to write with the end. Raises an error of `REFUSALS` if refused."""
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
                # The write of the end includes this change and may succeed.
                log.exception("the start of a run could not be written", job_id=self.record.job.id)
            else:
                return ()
        return (self._change,)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None and not self._writing.done():
            # It may be in a long wait for the store.
            self._writing.cancel()
            await asyncio.wait([self._writing])

    def _write(self) -> None:
        if self._change is None:
            return
        self._writing = asyncio.ensure_future(self._write_change(self._change))
        # The store would refuse the run's result too.
        self._writing.add_done_callback(lambda _: self.refused and self._stop())

    async def _write_change(self, change: Change) -> None:
        job, lease = self.record.job, self._lease
        try:
            events = await retrying(
                lambda: self._store.jobs.advance(job.id, [change], lease=lease, known=self.record)
            )
            self.record = replace(self.record, job=events[-1].job)
        except InvalidTransitionError as error:
            # An earlier try succeeded, and only its answer was lost.
            if error.present is not JobStatus.RUNNING:
                raise
