"""One unit's view of a transaction, and the pending rows of all its units.

A statement for many rows costs little more than one for a single row. So new rows are collected,
and written before anything may read them, at the latest at the transaction's end.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import Executable, Table, bindparam, func, insert, select

from quantcloud.domain.account import MonthlyLimits, MonthlyUsage
from quantcloud.domain.job import UNROUTED, JobEvent, JobStatus
from quantcloud.domain.quota import check_month, check_waiting
from quantcloud.storage.database.interface import Connection, Parameters, Rows, Steps
from quantcloud.storage.database.queries import ACTIVE, status_in, upsert
from quantcloud.storage.database.tables import (
    idempotency_keys,
    job_circuits,
    job_events,
    job_results,
    job_tags,
    jobs,
    monthly_usage,
    sweep_blocks,
)
from quantcloud.storage.job_record import JobRecord, NewJob

WAITING: Final = UNROUTED | {JobStatus.QUEUED}
COUNT_WAITING = (
    select(func.count())
    .select_from(jobs)
    .where(ACTIVE, status_in(WAITING), jobs.c.account_id == bindparam("account_id"))
)
"""Count an account's jobs that have not started."""


def month_of(at: date) -> str:
    """Return the calendar month of a date, or of an aware time in UTC, such as "2025-01"."""
    day = at.astimezone(UTC) if isinstance(at, datetime) else at
    return f"{day.year:04}-{day.month:02}"


FIGURES = tuple(MonthlyUsage.__dataclass_fields__)
MONTH = select(*(monthly_usage.c[name] for name in FIGURES)).where(
    monthly_usage.c.account_id == bindparam("account_id"),
    monthly_usage.c.month == bindparam("month"),
)
"""An account's usage in one month."""
# In the order that the foreign keys require.
_INSERTS: Mapping[Table, Executable] = {
    **{
        table: insert(table)
        for table in (jobs, job_tags, job_circuits, job_events, job_results, sweep_blocks)
    },
    # A new key may take the place of an expired one.
    idempotency_keys: upsert(idempotency_keys, lambda new: {**new}),
    monthly_usage: upsert(
        monthly_usage, lambda new: {name: monthly_usage.c[name] + new[name] for name in FIGURES}
    ),
}

_Month = tuple[str, str]
# The most rows that one statement writes.
_ROWS_A_STATEMENT = 128


class Pending:
    """The rows that the units of one transaction have added.

    `cursors(n)` returns `n` new event cursors.
    """

    def __init__(
        self, connection: Connection, cursors: Callable[[int], Sequence[int]] | None = None
    ) -> None:
        self._connection = connection
        self._cursors = cursors
        self._rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in _INSERTS}
        # New jobs whose rows are not written yet: as they are now, as they came, and the rows.
        self.jobs: dict[str, JobRecord] = {}
        self.new: dict[str, NewJob] = {}
        self._job_rows: dict[str, dict[str, Any]] = {}
        # Whether a write failed part way.
        self.failed = False
        # By account and month: the usage in the table, and the usage still to be added.
        self._used: dict[_Month, MonthlyUsage] = {}
        self._usage: defaultdict[_Month, list[float]] = defaultdict(lambda: [0] * len(FIGURES))
        self._waiting: dict[str, int] = {}

    def forget(self) -> None:
        """Drop the rows added since the last `write`, and the cached figures of accounts."""
        self.failed = False
        self._forget_jobs()
        for rows in self._rows.values():
            rows.clear()
        for known in (self._usage, self._used, self._waiting):
            known.clear()

    def cursors(self, number: int) -> Sequence[int]:
        if self._cursors is None:
            raise AssertionError("this transaction only reads")
        return self._cursors(number)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        self._rows[table].append(row)

    def add_job(
        self, record: JobRecord, new: NewJob, row: dict[str, Any], circuit: dict[str, Any]
    ) -> None:
        job_id = record.job.id
        self.jobs[job_id], self.new[job_id], self._job_rows[job_id] = record, new, row
        self.add(jobs, row)
        self.add(job_circuits, circuit)
        job = record.job
        tagged = {"account_id": job.account_id, "submitted_at": job.submitted_at, "job_id": job.id}
        for tag in job.tags:
            self.add(job_tags, {**tagged, "tag": tag})

    def change_job(self, record: JobRecord, values: dict[str, Any]) -> None:
        """Change the row of a new job by `values`; `record` is the job after that."""
        self.jobs[record.job.id] = record
        self._job_rows[record.job.id].update(values)

    def _forget_jobs(self) -> None:
        for known in (self.jobs, self.new, self._job_rows):
            known.clear()

    def update_job(self, statement: Executable, values: dict[str, Any]) -> bool:
        """Change the row of a stored job; return whether the job was found as known."""
        return self._connection.execute(statement, values).rowcount != 0

    def expect_new_key(self, account_id: str, key: str, since: datetime) -> bool:
        """Whether an idempotency key may count as new: it is checked later, in the database."""
        del account_id, key, since
        return False

    def add_usage(self, account_id: str, at: date, usage: MonthlyUsage) -> None:
        """Add to an account's usage in the month of `at`."""
        sums = self._usage[account_id, month_of(at)]
        for place, name in enumerate(FIGURES):
            sums[place] += getattr(usage, name)

    def used(self, account_id: str, at: date) -> MonthlyUsage:
        """Return an account's usage in the month of `at`, pending usage included."""
        month = month_of(at)
        key = account_id, month
        if (found := self._used.get(key)) is None:
            values = {"account_id": account_id, "month": month}
            row = self._connection.execute(MONTH, values).one_or_none()
            found = self._used[key] = MonthlyUsage() if row is None else MonthlyUsage(*row)
        return _sum(found, self._usage[key]) if key in self._usage else found

    def waiting(self, account_id: str) -> int:
        """Return how many of an account's jobs have not started."""
        if account_id not in self._waiting:
            self.write()
            rows = self._connection.execute(COUNT_WAITING, {"account_id": account_id})
            self._waiting[account_id] = rows.scalar_one()
        return self._waiting[account_id]

    def check_waiting(self, account_id: str, maximum: int, number: int) -> None:
        """Raise `QuotaExceeded` if `number` more jobs of an account may not wait."""
        check_waiting(account_id, self.waiting(account_id), maximum, number)

    def check_month(
        self,
        account_id: str,
        limits: MonthlyLimits,
        at: datetime,
        *,
        qpu_tasks: int,
        cost_usd: float,
    ) -> None:
        """Raise `QuotaExceeded` if a job at `at` exceeds the limits of its month."""
        used = self.used(account_id, at)
        check_month(account_id, limits, used, at, qpu_tasks=qpu_tasks, cost_usd=cost_usd)

    def moved(self, account_id: str, before: JobStatus | None, after: JobStatus) -> None:
        """Note a change of a job's status; `before` is None for a new job."""
        if account_id in self._waiting:
            self._waiting[account_id] += (after in WAITING) - (before in WAITING)

    def write(self) -> None:
        """Write all pending rows."""
        for _ in self.write_in_steps():
            pass

    def write_in_steps(self) -> Steps[None]:
        """Write all pending rows, with pauses; add nothing during a pause."""
        self.failed = True
        self._forget_jobs()
        self._rows[monthly_usage] = self._usage_rows()
        for account_and_month in self._usage:
            self._used.pop(account_and_month, None)
        self._usage.clear()
        for table, statement in _INSERTS.items():
            rows, self._rows[table] = self._rows[table], []
            for first in range(0, len(rows), _ROWS_A_STATEMENT):
                self._connection.execute(statement, rows[first : first + _ROWS_A_STATEMENT])
                yield
        self.failed = False

    def _usage_rows(self) -> list[dict[str, Any]]:
        """Return the usage still to be added, as rows."""
        return [
            {"account_id": account_id, "month": month, **dict(zip(FIGURES, sums, strict=True))}
            for (account_id, month), sums in self._usage.items()
        ]


class Transaction:
    """One unit's view of the shared transaction; it neither begins nor ends it."""

    __slots__ = ("_connection", "events", "pending", "wrote")

    def __init__(self, connection: Connection, pending: Pending | None = None) -> None:
        self._connection = connection
        self.pending = Pending(connection) if pending is None else pending
        self.events: list[JobEvent] = []
        self.wrote = False

    def read(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        self.pending.write()
        return self._connection.execute(statement, parameters)

    def write(self, statement: Executable, parameters: Parameters) -> Rows:
        self.pending.write()
        return self.change(statement, parameters)

    def look_up(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        """Read rows that no pending row can affect."""
        return self._connection.execute(statement, parameters)

    def change(self, statement: Executable, parameters: Parameters) -> Rows:
        """Write rows that no pending row can affect."""
        before, self.wrote = self.wrote, True
        result = self._connection.execute(statement, parameters)
        self.wrote = before or result.rowcount != 0
        return result

    def change_job(self, statement: Executable, values: dict[str, Any]) -> bool:
        """Change the row of a stored job; return whether the job was found as known."""
        found = self.pending.update_job(statement, values)
        self.wrote = self.wrote or found
        return found

    def add_job(
        self, record: JobRecord, new: NewJob, row: dict[str, Any], circuit: dict[str, Any]
    ) -> None:
        """Add the rows of a new job and its circuit to the pending rows."""
        self.wrote = True
        self.pending.add_job(record, new, row, circuit)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        """Add a row to the pending rows."""
        self.wrote = True
        self.pending.add(table, row)

    def add_events(self, row: dict[str, Any], events: Sequence[JobEvent]) -> None:
        """Add events to the pending rows; they are published after the commit."""
        self.add(job_events, row)
        self.events += events

    def add_usage(self, account_id: str, at: date, usage: MonthlyUsage) -> None:
        """Add to an account's usage in the month of `at`; the write is pending."""
        self.wrote = True
        self.pending.add_usage(account_id, at, usage)


def _sum(used: MonthlyUsage, sums: Sequence[float]) -> MonthlyUsage:
    added = (getattr(used, name) + more for name, more in zip(FIGURES, sums, strict=True))
    return MonthlyUsage(*added)
