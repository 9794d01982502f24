"""Builds jobs, results and leases for tests of the store."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyUsage, Tier
from quantcloud.domain.job import (
    Change,
    Job,
    JobEvent,
    JobResult,
    JobStatus,
    Lease,
    OptimizationTarget,
)
from quantcloud.domain.job_filter import JobFilter
from quantcloud.storage import Claim, JobRecord, NewJob, Room, Store
from quantcloud.storage.database.codec import unpack_text
from quantcloud.storage.database.tables import job_circuits
from quantcloud.storage.unit_of_work.transaction import Transaction

T0 = datetime(2025, 3, 31, 23, 59, 58, 123457, tzinfo=UTC)
QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\n'
UNLIMITED: Mapping[Tier, int] = dict.fromkeys(Tier, 1000)
ANALYSIS = Analysis(
    num_qubits=2,
    num_clbits=2,
    circuit_depth=3,
    gate_count=4,
    operation_count=4,
    two_qubit_gate_count=1,
    gate_counts={"h": 1, "cx": 1, "measure": 2},
    is_clifford=True,
    has_mid_circuit=False,
    measures_all=True,
)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def new_job(account: str = "alice", *, seconds: float = 0, **fields) -> Job:
    return Job(
        **{
            "id": str(uuid.uuid4()),
            "account_id": account,
            "status": JobStatus.SUBMITTED,
            "shots": 1024,
            "optimize_for": OptimizationTarget.BALANCED,
            "submitted_at": at(seconds),
            "changed_at": fields.get("submitted_at", at(seconds)),
            "seed": 7,
            "metadata": {"num_qubits": 2},
            **fields,
        }
    )


def with_status(*statuses: JobStatus) -> JobFilter:
    return JobFilter(frozenset(statuses))


def to(status: JobStatus, seconds: float = 0, **fields) -> Change:
    return Change(status, at(seconds), **fields)


def routed(seconds: float = 0, backend: str = "local_simulator") -> list[Change]:
    return [
        to(JobStatus.ANALYZING, seconds),
        to(JobStatus.ROUTING, seconds),
        to(JobStatus.QUEUED, seconds, backend=backend, method="statevector"),
    ]


def ran(started: float = 0, ended: float = 0, backend: str = "local_simulator") -> list[Change]:
    """Return all changes of a job that is run inline."""
    return [
        *routed(started, backend),
        to(JobStatus.DISPATCHED, started),
        to(JobStatus.RUNNING, started),
        to(JobStatus.COMPLETED, ended),
    ]


def result_of(job: Job, **fields) -> JobResult:
    values = {"counts": {"00": 500, "11": 524}, "execution_time_ms": 1.5, **fields}
    return JobResult(job_id=job.id, backend=job.backend or "local_simulator", **values)


async def create(
    store: Store,
    job: Job,
    qasm: str = QASM,
    analysis: Analysis = ANALYSIS,
    changes: Sequence[Change] = (),
    **options: Any,
) -> list[JobEvent]:
    """Create one job; `options` are those of `create_all`. Return its events."""
    (events,) = await store.jobs.create_all([NewJob(job, qasm, analysis, changes)], **options)
    return events


async def complete(
    store: Store,
    job_id: str,
    lease: Lease,
    result: JobResult,
    changes: Sequence[Change],
    *,
    known: JobRecord | None = None,
    **usage: float,
) -> JobEvent:
    packed, used = await store.jobs.pack(result), usage_of(**usage)
    return await store.jobs.end(job_id, lease, changes, result=packed, usage=used, known=known)


def usage_of(
    simulator_seconds: float = 0.0, qpu_tasks: int = 0, cost_usd: float = 0.0
) -> MonthlyUsage:
    return MonthlyUsage(simulator_seconds, qpu_tasks, total_cost_usd=cost_usd)


async def submit(store: Store, account: str = "alice", *, seconds: float = 0, **fields) -> Job:
    await store.accounts.ensure(account, at=T0)
    job = new_job(account, seconds=seconds, **fields)
    await create(store, job, max_waiting=None)
    return job


async def queue(
    store: Store,
    account: str = "alice",
    *,
    seconds: float = 0,
    backend: str = "local_simulator",
    **fields,
) -> Job:
    job = await submit(store, account, seconds=seconds, **fields)
    events = await store.jobs.advance(job.id, routed(seconds, backend))
    return events[-1].job


async def claim_one(store: Store, *, seconds: float = 0) -> Claim:
    (claim,) = await store.jobs.claim("server-1", Room(1), at(seconds), concurrency=UNLIMITED)
    return claim


async def start(store: Store, *, seconds: float = 0) -> Claim:
    """Claim the next job and start its run."""
    claim = await claim_one(store, seconds=seconds)
    await store.jobs.advance(claim.job.id, [to(JobStatus.RUNNING, seconds)], lease=claim.lease)
    return claim


async def stored_circuit(store: Store, job_id: str) -> tuple[str, Analysis | None]:
    """Return the text of a job's circuit, and its analysis if that is stored."""
    query = select(job_circuits).where(job_circuits.c.job_id == job_id)
    row = await store._database.read(lambda c: c.execute(query).one())
    figures = {name: value for name, value in row.analysis.items() if name != "method"}
    return unpack_text(row.qasm), Analysis(**figures) if figures else None


async def logged(
    store: Store, account: str, cursor: int = 0, limit: int = 999
) -> Sequence[JobEvent]:
    """Return the account's events after `cursor`."""
    return (await store.events.account_after(account, cursor, limit)).events


async def finish(store: Store, claim: Claim, *, seconds: float = 0, **usage: float) -> None:
    await complete(
        store,
        claim.job.id,
        claim.lease,
        result_of(claim.job),
        [to(JobStatus.COMPLETED, seconds)],
        **usage,
    )


def spoil(tx: Transaction) -> None:
    """Make the commit of this transaction fail on SQLite."""
    # The foreign key is checked only at the commit.
    tx.look_up(text("PRAGMA defer_foreign_keys=ON"))
    tx.change(insert(job_circuits), {"job_id": "none", "qasm": b"", "analysis": {}})


STALE = Lease("server-0", 1, "stale")
