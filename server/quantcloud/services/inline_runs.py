"""Runs very small circuits at submission, so that the job is stored with its result."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from quantcloud.backends.fleet import Fleet
from quantcloud.backends.runs import completed, execution_of
from quantcloud.domain.job import Change, JobStatus
from quantcloud.engine.base import EngineError
from quantcloud.engine.inline import InlineEngine
from quantcloud.routing.router import Placement
from quantcloud.services.admission import Admitted
from quantcloud.storage import NewJob


class InlineRuns:
    """Runs new jobs that the router placed in this process."""

    def __init__(self, engine: InlineEngine, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._fleet = fleet
        self._clock = clock

    async def run(self, admitted: Admitted) -> NewJob:
        """Return the job to store: completed if it ran here, else queued. Does not suspend."""
        if admitted.decision.placement is not Placement.INLINE:
            return admitted
        changes, analysis = admitted.changes, admitted.analysis
        routed, began = changes[-1], self._clock()
        execution = execution_of(
            admitted.job, routed.backend, routed.method, admitted.qasm, admitted.sweep
        )
        try:
            outcome = await self._engine.execute(
                execution,
                time_limit=admitted.time_limit,
                on_start=_ignore_start,
                circuit=admitted.circuit,
            )
        except EngineError:
            return admitted
        result, end = completed(execution, analysis, outcome, routed.metadata or {}, self._clock())
        started = [Change(JobStatus.DISPATCHED, began), Change(JobStatus.RUNNING, began)]
        return replace(
            admitted,
            changes=(*changes, *started, end),
            result=result,
            simulator_seconds=outcome.execution_time_ms / 1000,
        )

    def learn(self, stored: NewJob) -> None:
        """Update the cost model if the job ran here."""
        if stored.result is not None:
            self._fleet.learn(stored.result.backend, stored.method, stored.simulator_seconds)


def _ignore_start() -> None:
    """The start of an inline run is stored with its end."""
