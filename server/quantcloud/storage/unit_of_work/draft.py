"""Drafts: what units write, prepared before the transaction, which is then a single call.

A unit that is drafted reads nothing. What it would check is a condition, which the database checks
under the lock. If some fail, the call writes nothing and returns which, and their units run in a
transaction that reads.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Executable, Table

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.aio.offload import Work
from quantcloud.domain.account import MonthlyLimits
from quantcloud.domain.errors import DomainError
from quantcloud.domain.job import JobStatus
from quantcloud.domain.quota import month_bounds
from quantcloud.storage.database.columns import rows_as_json
from quantcloud.storage.database.interface import Applies, Parameters, Rows
from quantcloud.storage.database.tables import (
    idempotency_keys,
    job_circuits,
    job_events,
    job_results,
    job_tags,
    jobs,
    sweep_blocks,
)
from quantcloud.storage.unit_of_work.transaction import (
    FIGURES,
    WAITING,
    Pending,
    Transaction,
    month_of,
)
from quantcloud.storage.unit_of_work.units import QueuedUnit, UnitResult

_MOST_BYTES: Final = 1 << 20
"""The most bytes of one value in a draft."""

# The most calls for one batch; after a refusal, the other units are drafted again.
_TRIES: Final = 2
_NOTHING: Final = (0,) * len(FIGURES)
# The figure of a month's usage that a bound applies to.
_BOUNDED: Final = {
    "seconds_below": "simulator_seconds", "most_tasks": "qpu_tasks", "most_cost": "total_cost_usd",
}  # fmt: skip


class NeedsLockError(Exception):
    """A unit cannot be drafted: it must read under the lock."""


class _NoConnection:
    """Refuses every statement."""

    def begin(self) -> AbstractContextManager[object]:
        raise NeedsLockError

    begin_nested = begin

    def execute(self, statement: Executable, parameters: Parameters | None = None, /) -> Rows:
        del statement, parameters
        raise NeedsLockError


_NO_CONNECTION = _NoConnection()


class Draft(Pending):
    """The rows that some units add, and the conditions under which they may.

    Set `place`, the place of the next unit, before it runs. Cursors count from 0.
    """

    def __init__(self) -> None:
        super().__init__(_NO_CONNECTION)
        self.place = 0
        self.events = 0
        # The bytes of circuits, results and blocks.
        self.bytes = 0
        # The places of the units that have each condition, by its number.
        self._units: list[list[int]] = []
        self._limits: dict[str, dict[object, dict[str, Any]]] = {
            name: {} for name in ("waiting", "months", "keys", "known")
        }
        self._changed: list[dict[str, Any]] = []
        # How many more jobs of each account wait.
        self._more: dict[str, int] = {}

    def cursors(self, number: int) -> Sequence[int]:
        first, self.events = self.events, self.events + number
        return range(first, self.events)

    def add(self, table: Table, row: dict[str, Any]) -> None:
        if table is not job_events:
            for value in row.values():
                if isinstance(value, bytes):
                    if len(value) > _MOST_BYTES:
                        raise NeedsLockError
                    self.bytes += len(value)
        super().add(table, row)

    def moved(self, account_id: str, before: JobStatus | None, after: JobStatus) -> None:
        more = (after in WAITING) - (before in WAITING)
        self._more[account_id] = self._more.get(account_id, 0) + more

    def write(self) -> None:
        raise NeedsLockError

    def check_waiting(self, account_id: str, maximum: int, number: int) -> None:
        most = maximum - number - self._more.get(account_id, 0)
        limit = self._condition("waiting", account_id, account_id=account_id, most=most)
        limit["most"] = min(limit["most"], most)

    def check_month(
        self,
        account_id: str,
        limits: MonthlyLimits,
        at: datetime,
        *,
        qpu_tasks: int,
        cost_usd: float,
    ) -> None:
        bounds = month_bounds(limits, qpu_tasks=qpu_tasks, cost_usd=cost_usd)
        if not bounds:
            return
        month = month_of(at)
        subject = account_id, month
        limit = self._condition("months", subject, account_id=account_id, month=month)
        added = dict(zip(FIGURES, self._usage.get(subject, _NOTHING), strict=True))
        for name, bound in bounds.items():
            left = bound - added[_BOUNDED[name]]
            limit[name] = min(limit.get(name, left), left)

    def expect_new_key(self, account_id: str, key: str, since: datetime) -> bool:
        if (account_id, key) in self._limits["keys"]:
            raise NeedsLockError
        self._condition("keys", (account_id, key), account_id=account_id, key=key, since=since)
        return True

    def update_job(self, statement: Executable, values: dict[str, Any]) -> bool:
        """Change a job's row by `values`, if its sequence and lease are still as known."""
        del statement
        row = dict(values)
        job_id = row["id"] = row.pop("job_id")
        if "known_sequence" not in row or job_id in self._limits["known"]:
            raise NeedsLockError
        known = {"sequence": row.pop("known_sequence"), "lease_token": row.pop("known_token")}
        self._condition("known", job_id, id=job_id, **known)
        self._changed.append(row)
        return True

    def units_of(self, conditions: Sequence[int]) -> set[int]:
        """Return the places of the units that have one of some conditions, by their numbers."""
        return {place for number in conditions for place in self._units[number]}

    async def encoded(self) -> dict[str, str | None]:
        """Return the conditions and rows as JSON, by the parameters of the SQL function."""
        rows = len(self._changed) + sum(map(len, self._rows.values()))
        cost = Work.DRAFT_ROWS.cost(rows) + Work.DRAFT_DATA.cost(self.bytes)
        return await offload.run(cost, self._encoded)

    def _encoded(self) -> dict[str, str | None]:
        rows: dict[str, Sequence[Mapping[str, Any]]] = {
            **{name: [*limits.values()] for name, limits in self._limits.items()},
            "new_jobs": self._rows[jobs],
            "new_tags": self._rows[job_tags],
            "new_circuits": self._rows[job_circuits],
            "changed_jobs": self._changed,
            "new_events": self._rows[job_events],
            "new_results": self._rows[job_results],
            "new_blocks": self._rows[sweep_blocks],
            "new_keys": self._rows[idempotency_keys],
            "used": self._usage_rows(),
        }
        return {name: rows_as_json(each) if each else None for name, each in rows.items()}

    def _condition(self, kind: str, subject: object, **values: Any) -> dict[str, Any]:
        """Return the condition of `kind` on `subject`, which this unit has too."""
        found = self._limits[kind].get(subject)
        if found is None:
            found = self._limits[kind][subject] = {"number": len(self._units), **values}
            self._units.append([])
        number: int = found["number"]
        self._units[number].append(self.place)
        return found


async def apply_draft(apply: Applies, batch: Sequence[QueuedUnit]) -> dict[int, UnitResult]:
    """Write those units that can be drafted; return their results by their places in the batch.

    Raises the error of `apply` if the database failed.
    """
    if any(waiting.together for waiting in batch):
        return {}
    places = [place for place, waiting in enumerate(batch) if waiting.drafted]
    for _ in range(_TRIES):
        draft = Draft()
        done = await _drafted(draft, batch, places)
        if not done:
            break
        try:
            applied = await apply(draft.events, await draft.encoded())
        except DomainError:
            raise
        except Exception:  # noqa: BLE001  # the transaction that follows finds out which unit fails
            break
        if applied.first_cursor is not None:
            # Nobody has seen the events yet.
            for event in (event for tx, _ in done.values() for event in tx.events):
                object.__setattr__(event, "cursor", event.cursor + applied.first_cursor)
            return {
                place: UnitResult(value, None, tx.events, tx.wrote)
                for place, (tx, value) in done.items()
            }
        refused = draft.units_of(applied.refused)
        places = [place for place in done if place not in refused]
    return {}


async def _drafted(
    draft: Draft, batch: Sequence[QueuedUnit], places: Sequence[int]
) -> dict[int, tuple[Transaction, Any]]:
    """Run units on a draft; return the values of those that need not read, by place."""
    done: dict[int, tuple[Transaction, Any]] = {}
    yielder = Yielder()
    for place in places:
        draft.place = place
        tx = Transaction(_NO_CONNECTION, draft)
        try:
            done[place] = tx, batch[place].unit(tx)
        except Exception:  # noqa: BLE001  # it fails again, or not, in a transaction that reads
            if tx.wrote:
                return {}
        await yielder.yield_if_due()
    return done
