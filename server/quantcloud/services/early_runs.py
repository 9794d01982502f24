"""Runs short circuits at their submission, so that the job is stored with its result."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from quantcloud.backends.fleet import Fleet
from quantcloud.backends.runs import completed, execution_of
from quantcloud.domain.account import Tier
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.job import Change, JobStatus
from quantcloud.engine.base import EngineError
from quantcloud.engine.inline import InlineEngine
from quantcloud.routing.router import Placement
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.services.admission import Admitted
from quantcloud.storage import NewJob


class EarlyRuns:
    """Runs jobs before they are stored: in this process, or on a worker that has time for them."""

    def __init__(
        self,
        engine: InlineEngine,
        scheduler: Scheduler,
        fleet: Fleet,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._scheduler = scheduler
        self._fleet = fleet
        self._clock = clock

    async def run(self, admitted: Admitted, tier: Tier) -> Admitted:
        """Return the job to store: completed if it ran already, else queued."""
        if admitted.decision.placement is Placement.INLINE:
            return await self.run_inline(admitted)
        # When it was dispatched, and when it started.
        began = [self._clock()]
        execution = _execution(admitted)
        outcome = await self._scheduler.run_early(
            admitted,
            execution,
            tier,
            time_limit=admitted.time_limit,
            on_start=lambda: began.append(self._clock()),
        )
        if outcome is None:
            return admitted
        return self._completed(admitted, execution, outcome, began)

    async def run_inline(self, admitted: Admitted) -> Admitted:
        """Return the job to store: completed if it ran here, else queued. Does not suspend."""
        if admitted.decision.placement is not Placement.INLINE:
            return admitted
        began = self._clock()
        execution = _execution(admitted)
        try:
            outcome = await self._engine.execute(
                execution,
                time_limit=admitted.time_limit,
                on_start=_ignore_start,
                circuit=admitted.circuit,
            )
        except EngineError:
            return admitted
        return self._completed(admitted, execution, outcome, [began])

    def _completed(
        self, admitted: Admitted, execution: Execution, outcome: Outcome, began: Sequence[datetime]
    ) -> Admitted:
        metadata = admitted.changes[-1].metadata or {}
        result, end = completed(execution, admitted.analysis, outcome, metadata, self._clock())
        started = [Change(JobStatus.DISPATCHED, began[0]), Change(JobStatus.RUNNING, began[-1])]
        return replace(
            admitted,
            changes=(*admitted.changes, *started, end),
            result=result,
            simulator_seconds=outcome.execution_time_ms / 1000,
        )

    def learn(self, stored: NewJob) -> None:
        """Update the cost model if the job ran before it was stored."""
        if stored.result is not None:
            self._fleet.learn(stored.result.backend, stored.method, stored.simulator_seconds)


def _execution(admitted: Admitted) -> Execution:
    routed = admitted.changes[-1]
    return execution_of(
        admitted.job,
        routed.backend,
        routed.method,
        admitted.qasm,
        admitted.sweep,
        memory=admitted.method.memory_bytes,
    )


def _ignore_start() -> None:
    """The start of an inline run is stored with its end."""
