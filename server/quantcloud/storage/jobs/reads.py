"""Queries about jobs; each uses an index and reads few rows."""

from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, tuple_

from quantcloud.domain.errors import NotFound
from quantcloud.domain.job import Job
from quantcloud.storage.database.interface import AnyRow, Connection
from quantcloud.storage.database.queries import ACTIVE, queued
from quantcloud.storage.database.tables import job_circuits, job_results, jobs
from quantcloud.storage.jobs.columns import JOB_COLUMNS, job_of
from quantcloud.storage.unit_of_work.transaction import COUNT_WAITING

# The number of jobs in a backend's mean time in the queue.
RECENT = 50

_OWN = (jobs.c.id == bindparam("job_id"), jobs.c.account_id == bindparam("account_id"))
_GET = select(*JOB_COLUMNS).where(*_OWN)
_RESULT_SIZE = (
    func.length(job_results.c.counts)
    + func.coalesce(func.length(job_results.c.statevector), 0)
    + func.length(job_results.c.metadata)
)


def _result_of(*conditions: ColumnElement[bool]) -> Select[Any]:
    return (
        select(jobs.c.completed_at, jobs.c.points, *job_results.c)
        .join_from(
            jobs, job_results, and_(job_results.c.job_id == jobs.c.id, *conditions), isouter=True
        )
        .where(*_OWN)
    )


_RESULT = _result_of()
_SMALL_RESULT = _result_of(bindparam("size") > _RESULT_SIZE)
JOBS_PER_READ = 64
"""The most jobs whose results one query reads."""
# One parameter for each of them.
_PLACES = [f"job_{place}" for place in range(JOBS_PER_READ)]
_SMALL_RESULTS = (
    select(*job_results.c)
    .join_from(jobs, job_results, job_results.c.job_id == jobs.c.id)
    .where(
        jobs.c.id.in_([bindparam(name) for name in _PLACES]),
        jobs.c.account_id == bindparam("account_id"),
        # The results of a sweep are in its blocks.
        jobs.c.points.is_(None),
        bindparam("size") > _RESULT_SIZE,
    )
)
_CIRCUIT = (
    select(job_circuits.c.qasm, job_circuits.c.sweep, job_results.c.metadata)
    .outerjoin_from(job_circuits, job_results, job_results.c.job_id == job_circuits.c.job_id)
    .where(job_circuits.c.job_id == bindparam("job_id"))
)
_COUNT_ACTIVE = select(func.count()).select_from(jobs).where(ACTIVE)
_DEPTHS = select(jobs.c.backend, func.count()).where(queued()).group_by(jobs.c.backend)
_OLDEST = (
    select(jobs.c.backend, func.min(jobs.c.queued_at, type_=jobs.c.queued_at.type).label("since"))
    .where(queued())
    .group_by(jobs.c.backend)
)
_AHEAD = (
    select(func.count())
    .select_from(jobs)
    .where(
        queued(),
        jobs.c.backend == bindparam("backend"),
        tuple_(jobs.c.queued_at, jobs.c.id)
        < tuple_(
            bindparam("queued_at", type_=jobs.c.queued_at.type),
            bindparam("job_id", type_=jobs.c.id.type),
        ),
    )
)
_QUEUE = (
    select(jobs.c.id)
    .where(queued(), jobs.c.backend == bindparam("backend"))
    .order_by(jobs.c.queued_at, jobs.c.id)
)
_NEXT_STARTED_BACKEND = select(func.min(jobs.c.backend)).where(
    jobs.c.started_at.is_not(None), jobs.c.backend > bindparam("after")
)
_RECENTLY_STARTED = (
    select(jobs.c.queued_at, jobs.c.started_at)
    .where(jobs.c.started_at.is_not(None), jobs.c.backend == bindparam("backend"))
    .order_by(jobs.c.started_at.desc())
    .limit(RECENT)
)


def get(connection: Connection, account_id: str, job_id: str) -> Job:
    """Return the account's job. Raises `NotFound`."""
    row = connection.execute(_GET, {"account_id": account_id, "job_id": job_id}).one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    return job_of(row, row.changed_at)


class Found(NamedTuple):
    """The row of a job's result; None if there is none, or if it may be `large`."""

    row: AnyRow | None
    large: bool = False


def small_result(connection: Connection, account_id: str, job_id: str, size: int) -> Found:
    """Return the result of the account's job if it is below `size` bytes. Raises `NotFound`."""
    values = {"account_id": account_id, "job_id": job_id, "size": size}
    row = connection.execute(_SMALL_RESULT, values).one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    if row.job_id is not None:
        return Found(row)
    return Found(None, large=row.completed_at is not None)


def small_results(
    connection: Connection, account_id: str, job_ids: Sequence[str], size: int
) -> list[AnyRow]:
    """Return the results below `size` bytes each; jobs of other accounts are left out.

    `job_ids` has 1 to `JOBS_PER_READ` ids.
    """
    values: dict[str, Any] = {"account_id": account_id, "size": size}
    values |= zip_longest(_PLACES, job_ids, fillvalue=job_ids[0])
    return [*connection.execute(_SMALL_RESULTS, values)]


def result(connection: Connection, account_id: str, job_id: str) -> AnyRow | None:
    """Return the row of the result of the account's job, None if there is none."""
    row = connection.execute(_RESULT, {"account_id": account_id, "job_id": job_id}).one_or_none()
    return None if row is None or row.job_id is None else row


def circuit(connection: Connection, job_id: str) -> AnyRow | None:
    """Return the text of a job's circuit, and the metadata of its result, None if it has none."""
    return connection.execute(_CIRCUIT, {"job_id": job_id}).one_or_none()


def active_count(connection: Connection) -> int:
    """Return how many jobs have not ended."""
    return connection.execute(_COUNT_ACTIVE).scalar_one()


def waiting_count(connection: Connection, account_id: str) -> int:
    """Return how many of an account's jobs have not started."""
    return connection.execute(COUNT_WAITING, {"account_id": account_id}).scalar_one()


def queue_depths(connection: Connection) -> dict[str, int]:
    """Return the number of queued jobs by backend; backends without any are left out."""
    return {backend: number for backend, number in connection.execute(_DEPTHS) if backend}


def queued_since(connection: Connection) -> dict[str, datetime]:
    """Return the time of the first queued job, by backend."""
    return {row.backend: row.since for row in connection.execute(_OLDEST) if row.backend}


def queue_position(connection: Connection, job: Job) -> int:
    """Return the job's position in its backend's queue, from 1."""
    values = {"backend": job.backend, "queued_at": job.queued_at, "job_id": job.id}
    return 1 + connection.execute(_AHEAD, values).scalar_one()


def queue_positions(connection: Connection, backend: str) -> dict[str, int]:
    """Return the position, from 1, of every job in a backend's queue, by job id."""
    ids = connection.execute(_QUEUE, {"backend": backend}).scalars()
    return {job_id: place for place, job_id in enumerate(ids, start=1)}


def mean_queue_seconds(connection: Connection) -> dict[str, float]:
    """Return the mean seconds in the queue of the last `RECENT` started jobs, by backend."""
    means: dict[str, float] = {}
    backend = ""
    while backend := connection.execute(_NEXT_STARTED_BACKEND, {"after": backend}).scalar_one():
        rows = connection.execute(_RECENTLY_STARTED, {"backend": backend}).all()
        waits = [(row.started_at - row.queued_at).total_seconds() for row in rows]
        means[backend] = sum(waits) / len(waits)
    return means
