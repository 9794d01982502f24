"""What accounts used."""

from datetime import date

from sqlalchemy import Connection, bindparam, select

from quantcloud.domain.account import MonthlyUsage
from quantcloud.storage.database import Database
from quantcloud.storage.tables import monthly_usage
from quantcloud.storage.usage_rows import month_of

_MONTH = select(
    monthly_usage.c.simulator_seconds,
    monthly_usage.c.qpu_tasks,
    monthly_usage.c.total_jobs,
    monthly_usage.c.total_cost_usd,
).where(
    monthly_usage.c.account_id == bindparam("account_id"),
    monthly_usage.c.month == bindparam("month"),
)


class Usage:
    """Usage by calendar month in UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def month(self, account_id: str, month: date) -> MonthlyUsage:
        """What the account used in the month that `month`, a day of it, is in."""
        values = {"account_id": account_id, "month": month_of(month)}

        def read(connection: Connection) -> MonthlyUsage:
            row = connection.execute(_MONTH, values).one_or_none()
            return MonthlyUsage() if row is None else MonthlyUsage(*row)

        return await self._database.read(read)
