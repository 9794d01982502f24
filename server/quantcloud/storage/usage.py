"""The usage of accounts by calendar month in UTC."""

from datetime import UTC, date, datetime

from quantcloud.aio.offload import Work
from quantcloud.domain.account import MonthlyLimits, MonthlyUsage
from quantcloud.storage.database.interface import Connection, Database
from quantcloud.storage.unit_of_work.transaction import MONTH, Transaction


def month_of(at: date) -> str:
    """Return the calendar month of a date, or of an aware time in UTC, such as "2025-01"."""
    day = at.astimezone(UTC) if isinstance(at, datetime) else at
    return f"{day.year:04}-{day.month:02}"


def usage_of(tx: Transaction, account_id: str, at: date) -> MonthlyUsage:
    """Return the account's usage in the month of `at`."""
    return tx.pending.used(account_id, month_of(at))


def check_month(
    tx: Transaction,
    account_id: str,
    limits: MonthlyLimits,
    at: datetime,
    *,
    qpu_tasks: int,
    cost_usd: float,
) -> None:
    """Raise `QuotaExceeded` if a job at `at` exceeds the limits of its month."""
    month = month_of(at)
    tx.pending.check_month(account_id, month, limits, at, qpu_tasks=qpu_tasks, cost_usd=cost_usd)


def add_usage(tx: Transaction, account_id: str, at: datetime, used: MonthlyUsage) -> None:
    """Add to the account's usage in the month of `at`."""
    tx.add_usage(account_id, month_of(at), used)


class Usage:
    """Usage by calendar month in UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def month(self, account_id: str, month: date) -> MonthlyUsage:
        """Return the account's usage in the month of `month`, any day of it."""
        values = {"account_id": account_id, "month": month_of(month)}

        def read(connection: Connection) -> MonthlyUsage:
            row = connection.execute(MONTH, values).one_or_none()
            return MonthlyUsage() if row is None else MonthlyUsage(*row)

        return await self._database.read(read, cost=Work.LOOK_UP.cost(1))
