"""Reads jobs, their circuits and results, and the queues; each query uses an index."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, and_, bindparam, func, select, tuple_

from quantcloud.aio.cooperative import Yielder
from quantcloud.aio.offload import UNKNOWN, Work
from quantcloud.domain.errors import InvalidArgument, NotFound
from quantcloud.domain.job import Job, JobCircuit, JobResult, JobStatus, SweepPage
from quantcloud.domain.job_filter import ALL_JOBS, JobFilter
from quantcloud.domain.outlook import Outlook
from quantcloud.domain.page import Page, Place, Window
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import AnyRow, Connection, Database
from quantcloud.storage.database.queries import ACTIVE, Values, identifier, place, queued
from quantcloud.storage.database.tables import job_circuits, job_results, jobs
from quantcloud.storage.jobs.reading import listing, outlook
from quantcloud.storage.jobs.rows import documents, sweeps
from quantcloud.storage.jobs.rows.columns import JOB_COLUMNS, job_of
from quantcloud.storage.unit_of_work.transaction import COUNT_WAITING

# The number of jobs in a backend's mean time in the queue.
_RECENT = 50
# The most jobs whose results one query reads.
_JOBS_PER_READ = 64
# More bytes than a result has.
_ANY_SIZE = (1 << 31) - 1

_OWN = (jobs.c.id == bindparam("job_id"), jobs.c.account_id == bindparam("account_id"))
_GET = select(*JOB_COLUMNS).where(*_OWN)
_SMALL = (
    func.length(job_results.c.counts)
    + func.coalesce(func.length(job_results.c.statevector), 0)
    + func.length(job_results.c.metadata)
) < bindparam("size")
# The columns of the result are NULL if the job has none below the size.
_RESULT = (
    select(jobs.c.completed_at, jobs.c.points, *job_results.c)
    .join_from(jobs, job_results, and_(job_results.c.job_id == jobs.c.id, _SMALL), isouter=True)
    .where(*_OWN)
)
_IDS = Values("job", _JOBS_PER_READ)
_SMALL_RESULTS = (
    select(*job_results.c)
    .join_from(jobs, job_results, job_results.c.job_id == jobs.c.id)
    .where(
        _IDS.contain(jobs.c.id),
        jobs.c.account_id == bindparam("account_id"),
        # The results of a sweep are in its blocks.
        jobs.c.points.is_(None),
        _SMALL,
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
    select(jobs.c.backend, func.min(jobs.c.queued_at, type_=jobs.c.queued_at.type))
    .where(queued())
    .group_by(jobs.c.backend)
)
_IN_QUEUE = (queued(), jobs.c.backend == bindparam("backend"))
_AHEAD = (
    select(func.count())
    .select_from(jobs)
    .where(
        *_IN_QUEUE,
        tuple_(jobs.c.queued_at, jobs.c.id)
        < place(jobs.c.queued_at, jobs.c.id, "queued_at", "job_id"),
    )
)
_QUEUE = select(jobs.c.id).where(*_IN_QUEUE).order_by(jobs.c.queued_at, jobs.c.id)
_NEXT_STARTED_BACKEND = select(func.min(jobs.c.backend)).where(
    jobs.c.started_at.is_not(None), jobs.c.backend > bindparam("after")
)
_RECENTLY_STARTED = (
    select(jobs.c.queued_at, jobs.c.started_at)
    .where(jobs.c.started_at.is_not(None), jobs.c.backend == bindparam("backend"))
    .order_by(jobs.c.started_at.desc())
    .limit(_RECENT)
)


class JobReads:
    """Reads jobs. A method that takes an account raises `NotFound` for another account's job."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, account_id: str, job_id: str) -> Job:
        row = await self._own(_GET, account_id, job_id, cost=Work.LOOK_UP.cost(1))
        return job_of(row, row.changed_at)

    async def result(
        self, account_id: str, job_id: str, *, offset: int = 0, limit: int | None = None
    ) -> JobResult | None:
        """Return the job's result, None if it has none yet. Raises `NotFound`.

        The result of a sweep has a page of its points: from `offset` on, at most `limit`. Raises
        `InvalidArgument` if fewer points are done.
        """
        row = await self._own(
            _RESULT, account_id, job_id, cost=Work.LOOK_UP.cost(1), size=codec.COMPRESS_FROM
        )
        if row.job_id is None and row.completed_at is not None:
            row = await self._own(_RESULT, account_id, job_id, size=_ANY_SIZE)
        if row.job_id is None:
            return None
        result = await documents.unpack_result(row)
        if (total := row.points) is None:
            return result
        page, _ = await self._database.read(lambda c: _page(c, job_id, total, offset, limit))
        return replace(result, sweep=page)

    async def _own(
        self,
        query: Executable,
        account_id: str,
        job_id: str,
        *,
        cost: float = UNKNOWN,
        **more: int,
    ) -> AnyRow:
        values = {"account_id": account_id, "job_id": identifier("job", job_id), **more}
        row = await self._database.read(lambda c: c.execute(query, values).one_or_none(), cost=cost)
        if row is None:
            raise NotFound("job", job_id)
        return row

    async def small_results(self, account_id: str, job_ids: Sequence[str]) -> list[JobResult]:
        """Return those results of the account's jobs that take less than 1 KiB uncompressed.

        A damaged result is left out; `result` raises its error.
        """
        yielder = Yielder()
        found: list[JobResult] = []
        for some in codec.in_parts(job_ids, _JOBS_PER_READ):
            values = {"account_id": account_id, "size": codec.COMPRESS_FROM, **_IDS.of(some)}
            rows = await self._database.read(
                lambda c, values=values: c.execute(_SMALL_RESULTS, values).all(),
                cost=Work.LOOK_UP.cost(len(some)),
            )
            for row in rows:
                if documents.is_compressed(row):
                    continue
                with suppress(Exception):
                    found.append(await documents.unpack_result(row))
                await yielder.yield_if_due()
        return found

    async def circuit(self, job: Job) -> JobCircuit | None:
        """Return a job's circuit; None if it has been removed."""
        values = {"job_id": job.id}
        row = await self._database.read(lambda c: c.execute(_CIRCUIT, values).one_or_none())
        return None if row is None else await documents.unpack_circuit(job, row)

    async def progress(self, job_id: str) -> sweeps.Progress:
        """Return how many points of a sweep are done, and how long their runs took."""
        return await self._database.read(lambda c: sweeps.progress(c, job_id))

    async def sweep_so_far(self, job: Job, offset: int, limit: int | None) -> JobResult | None:
        """Return a page of the points of a sweep that has not completed; None if it was removed."""

        def read(connection: Connection) -> JobResult | None:
            if not sweeps.is_kept(connection, job.id):
                return None
            page, seconds = _page(connection, job.id, job.points or 0, offset, limit)
            metadata = {"method": job.method, "seed": job.seed}
            return JobResult(
                job.id, job.backend or "", {}, seconds * 1000, metadata=metadata, sweep=page
            )

        return await self._database.read(read)

    async def active_count(self) -> int:
        """Return how many jobs have not ended."""
        return await self._database.read(lambda c: c.execute(_COUNT_ACTIVE).scalar_one())

    async def waiting_count(self, account_id: str) -> int:
        """Return how many of an account's jobs have not started."""
        values = {"account_id": account_id}
        return await self._database.read(lambda c: c.execute(COUNT_WAITING, values).scalar_one())

    async def queue_depths(self) -> dict[str, int]:
        """Return the number of queued jobs by backend; backends without any are left out."""
        return await self._by_backend(_DEPTHS)

    async def queued_since(self) -> dict[str, datetime]:
        """Return since when the first queued job waits, by backend."""
        return await self._by_backend(_OLDEST)

    async def _by_backend(self, query: Executable) -> dict[str, Any]:
        return await self._database.read(
            lambda c: {backend: value for backend, value in c.execute(query) if backend}
        )

    async def mean_queue_seconds(self) -> dict[str, float]:
        """Return the mean seconds in the queue of the last 50 started jobs, by backend."""

        def read(connection: Connection) -> dict[str, float]:
            means: dict[str, float] = {}
            name = ""
            while name := connection.execute(_NEXT_STARTED_BACKEND, {"after": name}).scalar_one():
                rows = connection.execute(_RECENTLY_STARTED, {"backend": name}).all()
                waits = [(row.started_at - row.queued_at).total_seconds() for row in rows]
                means[name] = sum(waits) / len(waits)
            return means

        return await self._database.read(read)

    async def queue_position(self, job: Job) -> int | None:
        """Return the job's position in its backend's queue, from 1; None if it is not queued."""
        if job.status is not JobStatus.QUEUED:
            return None
        values = {"backend": job.backend, "queued_at": job.queued_at, "job_id": job.id}
        return 1 + await self._database.read(lambda c: c.execute(_AHEAD, values).scalar_one())

    async def queue_positions(self, backend: str) -> dict[str, int]:
        """Return the position, from 1, of every job in a backend's queue, by job id."""
        values = {"backend": backend}
        ids = await self._database.read(lambda c: [*c.execute(_QUEUE, values).scalars()])
        return {job_id: position for position, job_id in enumerate(ids, start=1)}

    async def outlook(self, at: datetime) -> Outlook | None:
        """Return the jobs that run and wait at `at`; None if too many wait."""
        return await self._database.read(lambda c: outlook.outlook(c, at))

    # Last in the class, because it hides the built-in `list` from what follows.
    async def list(
        self,
        account_id: str,
        *,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
        wanted: JobFilter = ALL_JOBS,
    ) -> Page[Job]:
        """Return a page of the account's jobs that `wanted` selects, newest first."""
        window = Window(limit, offset, after)
        return await self._database.read(lambda c: listing.page(c, account_id, window, wanted))


def _page(
    connection: Connection, job_id: str, total: int, offset: int, limit: int | None
) -> tuple[SweepPage, float]:
    """Return a page of points, and how long the runs of all points took."""
    done, seconds = sweeps.progress(connection, job_id)
    if offset > done:
        raise InvalidArgument("point_offset", f"must be at most {done}, the number of points done")
    points = sweeps.page(connection, job_id, offset, limit)
    return SweepPage(total, done, points), seconds
