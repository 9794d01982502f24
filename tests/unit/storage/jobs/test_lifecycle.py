"""The store against a small model, with calls in any order."""

import asyncio
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, multiple, rule

from quantcloud.domain.account import Tier
from quantcloud.domain.errors import FailedPrecondition
from quantcloud.domain.job import (
    LEASED,
    TERMINAL,
    InvalidTransitionError,
    JobStatus,
    StaleLeaseError,
)
from quantcloud.storage import Claim, NewJob, Room
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    at,
    complete,
    new_job,
    queue,
    ran,
    result_of,
    to,
    usage_of,
)
from unit.storage.conftest import EMPTY, VERSIONS, Servers
from unit.storage.jobs.model import ACCOUNTS, Checked, Model

CONCURRENCY = dict.fromkeys(Tier, 2)
OWNERS = ("server-1", "server-2")


class Lifecycle(Checked):
    claims = Bundle("claims")

    @rule(account=st.sampled_from(ACCOUNTS), quantum=st.booleans())
    def submit(self, account, quantum):
        now = self.now()
        reserved = {"reserved_qpu_tasks": 1, "reserved_cost_usd": 2.0} if quantum else {}
        job = self.call(queue(self.store, account, seconds=now, **reserved))
        self.jobs[job.id] = Model(account, now, quantum=quantum, charged=quantum)

    @rule(account=st.sampled_from(ACCOUNTS))
    def submit_completed(self, account):
        """Submit a job that was run inline."""
        now = self.now()
        self.call(self.store.accounts.ensure(account, at=at(now)))
        job = new_job(account, seconds=now)
        new = NewJob(job, QASM, ANALYSIS, ran(now, now), result_of(job), simulator_seconds=1.0)
        self.call(self.store.jobs.create_all([new], max_waiting=None))
        model = self.jobs[job.id] = Model(account, now, attempt=1, seconds=1.0)
        for status in (JobStatus.DISPATCHED, JobStatus.RUNNING, JobStatus.COMPLETED):
            model.move(status)

    def used(self, claim: Claim) -> dict[str, float]:
        quantum = self.jobs[claim.job.id].quantum
        return {"qpu_tasks": 1, "cost_usd": 2.0} if quantum else {"simulator_seconds": 1.0}

    def charge(self, claim: Claim) -> None:
        model = self.jobs[claim.job.id]
        model.charged, model.seconds = model.quantum, 0.0 if model.quantum else 1.0

    @rule(target=claims, slots=st.integers(1, 4), owner=st.sampled_from(OWNERS))
    def claim(self, slots, owner):
        now = self.now()
        taken = self.call(
            self.store.jobs.claim(owner, Room(slots), at(now), concurrency=CONCURRENCY)
        )
        room = {
            account: 2 - sum(m.account == account and m.status in LEASED for m in self.of(account))
            for account in ACCOUNTS
        }
        waiting = {
            account: sorted(
                (m.queued_at, job_id)
                for job_id, m in self.jobs.items()
                if m.account == account and m.status is JobStatus.QUEUED
            )
            for account in ACCOUNTS
        }
        most = sum(min(room[account], len(waiting[account])) for account in ACCOUNTS)
        assert len(taken) == min(slots, most)
        for claim in taken:
            model = self.jobs[claim.job.id]
            assert waiting[model.account].pop(0)[1] == claim.job.id
            model.attempt += 1
            model.move(JobStatus.DISPATCHED)
            model.token, model.owner = claim.lease.token, owner
            assert claim.lease.attempt == claim.job.attempt == model.attempt
        served = {claim.job.account_id for claim in taken}
        for account in ACCOUNTS:
            # No account is served twice while another with a free job is not served.
            if waiting[account] and room[account] and account not in served:
                assert len(served) == len(taken)
        return multiple(*taken)

    def fenced(self, claim: Claim, status: JobStatus, coroutine) -> bool:
        """Check a write of `claim`'s run against the model; return whether it succeeded."""
        model = self.jobs[claim.job.id]
        held = model.token == claim.lease.token
        forward = {
            JobStatus.DISPATCHED: {JobStatus.RUNNING, JobStatus.QUEUED, JobStatus.FAILED},
            JobStatus.RUNNING: {
                JobStatus.COMPLETED,
                JobStatus.QUEUED,
                JobStatus.FAILED,
                JobStatus.TIMEOUT,
            },
        }
        if not held:
            with pytest.raises(StaleLeaseError):
                self.call(coroutine)
        elif status not in forward[model.status]:
            with pytest.raises(InvalidTransitionError):
                self.call(coroutine)
        else:
            self.call(coroutine)
            return True
        return False

    @rule(claim=claims)
    def start(self, claim):
        now = self.now()
        write = self.store.jobs.advance(
            claim.job.id, [to(JobStatus.RUNNING, now)], lease=claim.lease
        )
        if self.fenced(claim, JobStatus.RUNNING, write):
            self.jobs[claim.job.id].move(JobStatus.RUNNING)
            self.jobs[claim.job.id].started = now

    @rule(claim=claims)
    def complete(self, claim):
        """Complete a run, perhaps after its lease ended: the bundle has all claims."""
        write = complete(
            self.store,
            claim.job.id,
            claim.lease,
            result_of(claim.job),
            [to(JobStatus.COMPLETED, self.now())],
            **self.used(claim),
        )
        if self.fenced(claim, JobStatus.COMPLETED, write):
            self.jobs[claim.job.id].move(JobStatus.COMPLETED)
            self.charge(claim)

    @rule(claim=claims, status=st.sampled_from([JobStatus.FAILED, JobStatus.TIMEOUT]))
    def end(self, claim, status):
        write = self.store.jobs.end(
            claim.job.id, claim.lease, [to(status, self.now())], usage=usage_of(**self.used(claim))
        )
        if self.fenced(claim, status, write):
            self.jobs[claim.job.id].move(status)
            self.charge(claim)

    @rule(claim=claims, lost=st.booleans())
    def requeue(self, claim, lost):
        write = self.store.jobs.requeue(claim.job.id, claim.lease, at(self.now()), lost=lost)
        if self.fenced(claim, JobStatus.QUEUED, write):
            model = self.jobs[claim.job.id]
            model.lose() if lost else model.move(JobStatus.QUEUED)

    @rule(claim=consumes(claims))
    def forget(self, claim):
        """Remove a claim from the bundle, so that others are drawn more often."""

    @rule(data=st.data())
    def cancel(self, data):
        if not self.jobs:
            return
        # Drawn by age, because a replayed example has other ids.
        job_id = list(self.jobs)[data.draw(st.integers(0, len(self.jobs) - 1))]
        model = self.jobs[job_id]
        now = self.now()
        write = self.store.jobs.cancel(model.account, job_id, at(now))
        if model.status is JobStatus.CANCELLED:
            assert self.call(write) is None
        elif model.status in TERMINAL:
            with pytest.raises(FailedPrecondition):
                self.call(write)
        else:
            assert self.call(write).job.status is JobStatus.CANCELLED
            ran = model.status is JobStatus.RUNNING
            model.move(JobStatus.CANCELLED)
            if ran:
                model.charged = model.quantum
                model.seconds = 0.0 if model.quantum else now - model.started

    @rule(reopen=st.booleans())
    def recover(self, reopen):
        if reopen:
            self.call(self.store.close())
            self.open()
        events = self.call(self.store.jobs.recover(at(self.now())))
        leased = {job_id for job_id, model in self.jobs.items() if model.status in LEASED}
        assert {event.job.id for event in events} == leased
        for job_id in leased:
            self.jobs[job_id].lose()

    @rule(owner=st.sampled_from(OWNERS), seconds=st.integers(1, 20))
    def heartbeat(self, owner, seconds):
        self.alive[owner] = self.now() + seconds
        self.call(self.store.leases.heartbeat(owner, at(self.alive[owner])))

    @rule(owner=st.sampled_from(OWNERS))
    def kill(self, owner):
        """Release the leases of a server that stops."""
        self.alive.pop(owner, None)
        self.call(self.store.leases.release(owner))

    @rule(by=st.sampled_from(OWNERS))
    def sweep(self, by):
        now = self.now()
        events = self.call(self.store.leases.take_back(by, at(now)))
        expired = {
            job_id
            for job_id, model in self.jobs.items()
            if model.status in LEASED
            and model.owner != by
            and self.alive.get(model.owner, now) <= now
        }
        assert {event.job.id for event in events} == expired
        for job_id in expired:
            self.jobs[job_id].lose()

    @rule(owner=st.sampled_from(OWNERS), data=st.data())
    def disown(self, owner, data):
        """Give back claims of which the owner does not know, because the answers were lost."""
        held = [m for m in self.jobs.values() if m.status in LEASED and m.owner == owner]
        received = held[: data.draw(st.integers(0, len(held)))]
        known = {model.token for model in received}
        events = self.call(self.store.leases.disown(owner, known, at(self.now())))
        assert len(events) == len(held) - len(received)
        for model in held[len(received) :]:
            model.move(JobStatus.QUEUED)


def explore(fresh: Callable[[], Path | str], examples: int) -> None:
    Lifecycle.fresh = staticmethod(fresh)
    case = Lifecycle.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=40,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    case().runTest()


def test_lifecycle_on_sqlite(template, tmp_path):
    def fresh() -> Path:
        path = tmp_path / f"{uuid.uuid4()}.db"
        shutil.copy(template, path)
        return path

    explore(fresh, 25)


@pytest.mark.parametrize("name", VERSIONS)
def test_lifecycle_on_postgres(servers: Servers, name):
    server = asyncio.run(servers.get(name))

    def fresh() -> str:
        asyncio.run(server.execute(EMPTY, "store"))
        return server.url("store")

    explore(fresh, 10)
    fresh()
