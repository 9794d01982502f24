"""Runs very small circuits at submission, so that the job is stored with its result."""

from collections.abc import Callable
from datetime import datetime

from quantcloud.backends.runs import completed, execution_of
from quantcloud.domain.job import Change, JobStatus
from quantcloud.engine.base import EngineError
from quantcloud.engine.inline import InlineEngine
from quantcloud.routing.router import Placement
from quantcloud.services.admission import Admitted
from quantcloud.storage import NewJob


class InlineRuns:
    """Makes new jobs, and runs those that the router placed in this process."""

    def __init__(self, engine: InlineEngine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock

    async def new_job(self, admitted: Admitted) -> NewJob:
        """Return the job to store: completed if it ran here, else queued. Does not suspend."""
        job, qasm, analysis, changes = (
            admitted.job, admitted.qasm, admitted.analysis, admitted.changes,
        )  # fmt: skip
        queued = NewJob(job, qasm, analysis, changes)
        if admitted.decision.placement is not Placement.INLINE:
            return queued
        routed, began = changes[-1], self._clock()
        execution = execution_of(job, routed.backend, routed.method, qasm)
        try:
            outcome = await self._engine.execute(
                execution,
                time_limit=admitted.time_limit,
                on_start=_ignore_start,
                circuit=admitted.circuit,
            )
        except EngineError:
            return queued
        result, end = completed(execution, analysis, outcome, routed.metadata or {}, self._clock())
        dispatched, running = (
            Change(status, began) for status in (JobStatus.DISPATCHED, JobStatus.RUNNING)
        )
        return NewJob(
            job,
            qasm,
            analysis,
            (*changes, dispatched, running, end),
            result,
            simulator_seconds=outcome.execution_time_ms / 1000,
        )


def _ignore_start() -> None:
    """The start of an inline run is stored with its end."""
