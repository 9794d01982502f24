"""What accounts used."""

from datetime import date

from quantcloud.domain.account import MonthlyUsage
from quantcloud.storage.database import Connection, Database
from quantcloud.storage.transaction import MONTH
from quantcloud.storage.usage_rows import month_of


class Usage:
    """Usage by calendar month in UTC."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def month(self, account_id: str, month: date) -> MonthlyUsage:
        """What the account used in the month that `month`, a day of it, is in."""
        values = {"account_id": account_id, "month": month_of(month)}

        def read(connection: Connection) -> MonthlyUsage:
            row = connection.execute(MONTH, values).one_or_none()
            return MonthlyUsage() if row is None else MonthlyUsage(*row)

        return await self._database.read(read, brief=True)
