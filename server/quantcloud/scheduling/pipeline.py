"""From submitted to queued: analysis and routing."""

from collections.abc import Callable
from datetime import datetime

from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.job import UNROUTED, Change, InvalidTransitionError, Job, JobStatus
from quantcloud.routing.explanation import explain
from quantcloud.routing.router import Decision, Demand
from quantcloud.storage import Store


class Pipeline:
    """Brings a job that was submitted into its backend's queue, or to `failed`."""

    def __init__(self, store: Store, fleet: Fleet, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock

    async def route(self, job: Job) -> None:
        """Take a job through the statuses that are left before `queued`.

        The steps and the times at which they began are written in one transaction. A job that was
        cancelled or routed meanwhile stays so.
        """
        steps: list[Change] = []
        present = job.status
        if present is JobStatus.SUBMITTED:
            steps.append(Change(JobStatus.ANALYZING, self._clock()))
        analysis = await self._store.jobs.analysis(job.id)
        if present is not JobStatus.ROUTING:
            steps.append(Change(JobStatus.ROUTING, self._clock()))
        reserved = job.reserved_cost_usd
        demand = Demand(
            analysis,
            job.shots,
            job.options,
            job.optimize_for,
            job.requested_backend,
            # The job takes no more than what its account was charged for it.
            reserved if job.max_cost_usd is None else min(reserved, job.max_cost_usd),
            job.min_fidelity,
            simulators_only=job.reserved_qpu_tasks == 0,
        )
        decision = self._fleet.decide(demand, await QueueFigures.read(self._store.jobs))
        steps.append(self._verdict(decision, job))
        try:
            await self._store.jobs.advance(job.id, steps)
        except InvalidTransitionError as error:
            if error.present in UNROUTED:
                raise

    def _verdict(self, decision: Decision, job: Job) -> Change:
        chosen = decision.chosen
        metadata = {**job.metadata, "routing": explain(decision)}
        if chosen is None or chosen.method is None:
            rejections = "; ".join(
                f"{candidate.backend}: {candidate.rejection}" for candidate in decision.candidates
            )
            return Change(
                JobStatus.FAILED,
                self._clock(),
                error_message=f"{decision.reason} any more ({rejections})",
                metadata=metadata,
            )
        return Change(
            JobStatus.QUEUED,
            self._clock(),
            backend=chosen.backend,
            method=chosen.method.name,
            metadata=metadata,
        )
