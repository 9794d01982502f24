"""An account's usage by calendar month, added up as it happens."""

from datetime import UTC, date, datetime

from quantcloud.domain.account import MonthlyUsage
from quantcloud.storage.transaction import Transaction


def month_of(at: date) -> str:
    """The calendar month of a date, or of an aware time in UTC."""
    day = at.astimezone(UTC) if isinstance(at, datetime) else at
    return f"{day.year:04}-{day.month:02}"


def read(tx: Transaction, account_id: str, at: date) -> MonthlyUsage:
    """What the account used in the month that `at` is in."""
    return tx.pending.used(account_id, month_of(at))


def add(tx: Transaction, account_id: str, at: datetime, usage: MonthlyUsage) -> None:
    """Add to the month that `at` is in."""
    tx.add_usage(account_id, month_of(at), usage)
