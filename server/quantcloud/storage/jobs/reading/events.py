"""Reads the events of jobs for watches."""

from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Boolean, Select, bindparam, func, select

from quantcloud.aio.offload import Work
from quantcloud.domain.cursors import Cursors, Listing
from quantcloud.domain.errors import NotFound, OutOfRange
from quantcloud.domain.event_filter import EVERYTHING, EventFilter, Stretch
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.storage.database.interface import AnyRow, Connection, Database
from quantcloud.storage.database.queries import Values, identifier
from quantcloud.storage.database.tables import job_events, jobs, removed_events
from quantcloud.storage.jobs.rows.event_rows import EVENTS, events_of, last_event_of, may_be_earlier

_OF_JOB = EVENTS.where(
    job_events.c.job_id == bindparam("job_id"), jobs.c.account_id == bindparam("account_id")
)
_LATEST = _OF_JOB.order_by(job_events.c.sequence.desc()).limit(1)
_AFTER = (
    _OF_JOB.where(job_events.c.sequence > bindparam("sequence"))
    .order_by(job_events.c.sequence)
    .limit(bindparam("limit"))
)
# The number of events that a row is expected to have; it limits the rows read for a page.
_EVENTS_PER_ROW = 4
# The most rows that one read searches for wanted events.
_SEARCHED_ROWS = 4096
_OF_ACCOUNT = (
    job_events.c.account_id == bindparam("account_id"),
    job_events.c.cursor > bindparam("cursor"),
)
_FAR = (
    select(job_events.c.cursor)
    .where(*_OF_ACCOUNT)
    .order_by(job_events.c.cursor)
    .offset(bindparam("between"))
    .limit(1)
)
_EARLIER_TOO = bindparam("earlier_too", type_=Boolean())
_STATUSES = Values("status", len(JobStatus))


@cache
def _account_after(*, with_statuses: bool, with_batch: bool) -> Select[Any]:
    conditions = [*_OF_ACCOUNT]
    if with_statuses or with_batch:
        conditions.append(job_events.c.cursor <= bindparam("end"))
    if with_statuses:
        wanted = _STATUSES.contain(job_events.c.status)
        conditions.append(wanted | (job_events.c.earlier.is_not(None) & _EARLIER_TOO))
    if with_batch:
        conditions.append(jobs.c.batch_id == bindparam("batch_id"))
    return EVENTS.where(*conditions).order_by(job_events.c.cursor).limit(bindparam("limit"))


_OWNED = select(jobs.c.id).where(
    jobs.c.id == bindparam("job_id"), jobs.c.account_id == bindparam("account_id")
)
_OF_BATCH = (
    select(jobs.c.id)
    .where(jobs.c.batch_id == bindparam("batch_id"), jobs.c.account_id == bindparam("account_id"))
    .limit(1)
)
_LATEST_CURSOR = select(func.max(job_events.c.cursor)).where(
    job_events.c.account_id == bindparam("account_id")
)
_HORIZON = select(removed_events.c.cursor).where(
    removed_events.c.account_id == bindparam("account_id")
)
_REMOVED = "HISTORY_REMOVED"
# The largest possible cursor.
_MAX_CURSOR = (1 << 63) - 1


class Events:
    """Reads the event log. Raises `NotFound` for a job of another account."""

    def __init__(self, database: Database, cursors: Cursors) -> None:
        self._database = database
        self._cursors = cursors

    async def latest(self, account_id: str, job_id: str) -> JobEvent:
        """Return the job's last event. Raises `NotFound`."""
        identifier("job", job_id)
        values = {"account_id": account_id, "job_id": job_id}

        def read(connection: Connection) -> JobEvent:
            row = connection.execute(_LATEST, values).one_or_none()
            if row is None:
                raise NotFound("job", job_id)
            return last_event_of(row)

        return await self._database.read(read, cost=Work.LOOK_UP.cost(1))

    async def after(
        self, account_id: str, job_id: str, sequence: int, limit: int
    ) -> list[JobEvent]:
        """Return up to `limit` of the job's events after `sequence`, in order.

        Raises `NotFound`, and `OutOfRange` if some of the events after `sequence` were removed.
        """
        identifier("job", job_id)
        values = {"account_id": account_id, "job_id": job_id}

        def read(connection: Connection) -> list[JobEvent]:
            rows = connection.execute(_AFTER, {**values, "sequence": sequence, "limit": limit})
            later = (event for event in events_of(rows) if event.sequence > sequence)
            found = [*islice(later, limit)]
            if not found and connection.execute(_OWNED, values).one_or_none() is None:
                raise NotFound("job", job_id)
            if found and found[0].sequence > sequence + 1:
                raise OutOfRange(
                    f"the events of job {job_id} after sequence {sequence} are no longer kept; "
                    "watch the job without after_sequence to see how it ended",
                    reason=_REMOVED,
                    metadata={"id": job_id, "oldest_sequence": str(found[0].sequence)},
                )
            return found

        return await self._database.read(read)

    async def account_after(
        self, account_id: str, cursor: int, limit: int, wanted: EventFilter = EVERYTHING
    ) -> Stretch:
        """Return up to `limit` wanted events of the account's jobs after `cursor`, in order.

        Raises `OutOfRange` if some of the events after `cursor` were removed.
        """

        def read(connection: Connection) -> Stretch:
            horizon = connection.execute(_HORIZON, {"account_id": account_id}).one_or_none()
            if horizon is not None and cursor < horizon.cursor:
                raise OutOfRange(
                    "the events after this cursor are no longer kept; list the jobs, then watch "
                    "without after_cursor",
                    reason=_REMOVED,
                    metadata={"oldest_cursor": self._cursors.write(Listing.EVENTS, horizon.cursor)},
                )
            return _stretch(connection, account_id, cursor, limit, wanted)

        return await self._database.read(read)

    async def check_batch(self, account_id: str, batch_id: str) -> None:
        """Raise `NotFound` if no job of the account belongs to the batch."""
        values = {"account_id": account_id, "batch_id": identifier("batch", batch_id)}

        def read(connection: Connection) -> None:
            if connection.execute(_OF_BATCH, values).one_or_none() is None:
                raise NotFound("batch", batch_id)

        await self._database.read(read, cost=Work.LOOK_UP.cost(1))

    async def latest_cursor(self, account_id: str) -> int:
        """Return the cursor of the account's last event, 0 if it has none."""
        return await self._database.read(
            lambda c: c.execute(_LATEST_CURSOR, {"account_id": account_id}).scalar_one() or 0,
            cost=Work.LOOK_UP.cost(1),
        )


def _stretch(
    connection: Connection, account_id: str, cursor: int, limit: int, wanted: EventFilter
) -> Stretch:
    of_account = {"account_id": account_id, "cursor": cursor}
    number = max(1, limit // _EVENTS_PER_ROW)
    values: dict[str, Any] = {**of_account, "limit": number}
    statuses, batch_id = sorted(wanted.statuses), wanted.batch_id
    far: AnyRow | None = None
    if statuses or batch_id is not None:
        far = connection.execute(_FAR, {**of_account, "between": _SEARCHED_ROWS - 1}).one_or_none()
        values["end"] = _MAX_CURSOR if far is None else far.cursor
    if statuses:
        values |= _STATUSES.of(statuses)
        values["earlier_too"] = may_be_earlier(statuses)
    if batch_id is not None:
        values["batch_id"] = batch_id
    statement = _account_after(with_statuses=bool(statuses), with_batch=batch_id is not None)
    rows = connection.execute(statement, values).all()
    later = (event for event in events_of(rows, wanted.statuses) if event.cursor > cursor)
    events = [*islice(later, limit)]
    # The last row may have more events.
    if len(events) == limit:
        return Stretch(events, events[-1].cursor, more=True)
    if len(rows) == number:
        return Stretch(events, rows[-1].cursor, more=True)
    if far is not None:
        return Stretch(events, far.cursor, more=True)
    return Stretch(events, events[-1].cursor if events else cursor, more=False)
