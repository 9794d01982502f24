"""The usage of accounts by calendar month in UTC."""

from datetime import date

from quantcloud.aio.offload import Work
from quantcloud.domain.account import MonthlyUsage
from quantcloud.storage.database.interface import Connection, Database
from quantcloud.storage.unit_of_work.transaction import MONTH, month_of


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
