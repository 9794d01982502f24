"""A small model of the jobs in a store, and the comparison with its database."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from sqlalchemy import text

from quantcloud.domain.job import LEASED, TERMINAL, JobEvent, JobStatus
from quantcloud.storage import Store
from quantcloud.storage.database.tables import job_events
from quantcloud.storage.jobs.rows.event_rows import EVENTS, events_of

ACCOUNTS = ("alice", "bob", "carol")


@dataclass
class Model:
    account: str
    queued_at: float
    status: JobStatus = JobStatus.QUEUED
    events: list[str] = field(
        default_factory=lambda: ["submitted", "analyzing", "routing", "queued"]
    )
    attempt: int = 0
    losses: int = 0
    token: str | None = None
    owner: str = ""
    quantum: bool = False
    metered: bool = False
    seconds: float = 0.0
    # Whether its reservation, one task of $2, counts; otherwise it was given back.
    charged: bool = False
    started: float = 0.0

    def move(self, status: JobStatus) -> None:
        self.status = status
        if status in TERMINAL:
            self.metered = True
            self.charged = False
        self.events.append(status.value)
        if status not in LEASED:
            self.token = None

    def lose(self) -> None:
        self.losses += 1
        self.move(JobStatus.FAILED if self.losses == 3 else JobStatus.QUEUED)


class Checked(RuleBasedStateMachine):
    """A store and a model of it, compared after each example."""

    # Returns the location of an empty database for each run.
    fresh: Callable[[], Path | str]

    def __init__(self) -> None:
        super().__init__()
        self.location = type(self).fresh()
        self.runner = asyncio.Runner()
        self.alive: dict[str, float] = {}
        self.jobs: dict[str, Model] = {}
        self.clock = 0.0
        self.published = []

    @initialize()
    def open(self) -> None:
        self.store = self.runner.run(Store.open(self.location))
        self.store.subscribe(self.published.extend)

    def now(self) -> float:
        self.clock += 1
        return self.clock

    def call(self, awaitable):
        return self.runner.get_loop().run_until_complete(awaitable)

    def of(self, account: str) -> list[Model]:
        return [model for model in self.jobs.values() if model.account == account]

    @invariant()
    def every_event_was_published_once(self):
        assert len(self.published) == sum(len(model.events) for model in self.jobs.values())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.check()
            self.call(self.store.close())
        self.runner.close()

    def read(self, statement: str) -> list[tuple]:
        def work(connection):
            return [tuple(row) for row in connection.execute(text(statement))]

        return self.call(self.store._database.read(work))

    def log(self) -> list[JobEvent]:
        """Read all events through the store."""

        def work(connection):
            return [*events_of(connection.execute(EVENTS.order_by(job_events.c.cursor)))]

        return self.call(self.store._database.read(work))

    def check(self) -> None:
        """Compare the database with the model."""
        log = self.log()
        assert log == self.published
        events: dict[str, list[str]] = {}
        for event in log:
            events.setdefault(event.job.id, []).append(event.job.status)
            assert event.sequence == event.job.sequence == len(events[event.job.id])
        assert events == {job_id: model.events for job_id, model in self.jobs.items()}
        for statuses in events.values():
            assert sum(status in set(TERMINAL) for status in statuses) <= 1
        jobs = self.read(
            "SELECT id, status, sequence, attempt, losses, metered, lease_token FROM jobs"
        )
        assert {row[0]: row[1:] for row in jobs} == {
            job_id: (m.status, len(m.events), m.attempt, m.losses, m.metered, m.token)
            for job_id, m in self.jobs.items()
        }
        results = [job_id for (job_id,) in self.read("SELECT job_id FROM job_results")]
        assert sorted(results) == sorted(
            job_id for job_id, m in self.jobs.items() if m.status is JobStatus.COMPLETED
        )
        used = self.read(
            "SELECT COALESCE(SUM(simulator_seconds), 0), COALESCE(SUM(qpu_tasks), 0),"
            " COALESCE(SUM(total_cost_usd), 0), COALESCE(SUM(total_jobs), 0) FROM monthly_usage"
        )
        charged = sum(m.charged for m in self.jobs.values())
        seconds = sum(m.seconds for m in self.jobs.values())
        assert used == [(seconds, charged, 2 * charged, len(self.jobs))]
