"""Runs very short circuits at submission, so that the job is stored with its result."""

from collections.abc import Callable
from datetime import datetime

from quantcloud.backends.at_once import AtOnce
from quantcloud.backends.fleet import FinishedRun, Fleet
from quantcloud.backends.runs import completed, execution_of
from quantcloud.domain.job import Change, JobStatus
from quantcloud.services.admission import Admitted
from quantcloud.storage import NewJob


class ShortRuns:
    """Makes new jobs, and runs the very short ones."""

    def __init__(self, at_once: AtOnce, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._at_once = at_once
        self._fleet = fleet
        self._clock = clock

    def new_job(self, admitted: Admitted) -> NewJob:
        """Return the job to store: completed if its run is very short, else queued."""
        return self._run(admitted) or NewJob(
            admitted.job, admitted.qasm, admitted.analysis, admitted.changes
        )

    def learn(self, stored: NewJob) -> None:
        """Update the cost model if the job was run at submission."""
        job, result = stored.job, stored.result
        if result is not None:
            method = str(result.metadata["method"])
            ran = FinishedRun(result.backend, method, stored.analysis, job.shots, job.options)
            self._fleet.learn(ran, stored.simulator_seconds)

    def _run(self, admitted: Admitted) -> NewJob | None:
        job, analysis, chosen = admitted.job, admitted.analysis, admitted.decision.chosen
        if admitted.circuit is None or chosen is None or chosen.method is None:
            return None
        if not chosen.method.at_once:
            return None
        began = self._clock()
        execution = execution_of(job, chosen.backend, chosen.method.name, admitted.qasm)
        outcome = self._at_once.run(admitted.circuit, execution)
        if outcome is None:
            return None
        routed = admitted.changes[-1].metadata or {}
        result, end = completed(execution, analysis, outcome, routed, self._clock())
        return NewJob(
            admitted.job,
            admitted.qasm,
            analysis,
            (
                *admitted.changes,
                Change(JobStatus.DISPATCHED, began),
                Change(JobStatus.RUNNING, began),
                end,
            ),
            result,
            simulator_seconds=outcome.execution_time_ms / 1000,
        )
