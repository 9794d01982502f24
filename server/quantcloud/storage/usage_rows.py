"""An account's usage by calendar month, added up as it happens."""

from datetime import UTC, date, datetime

from sqlalchemy import bindparam, insert, select, update

from quantcloud.domain.account import MonthlyUsage
from quantcloud.storage.tables import monthly_usage
from quantcloud.storage.writer import Transaction

_FIGURES = ("simulator_seconds", "qpu_tasks", "total_jobs", "total_cost_usd")

MONTH = select(*(monthly_usage.c[name] for name in _FIGURES)).where(
    monthly_usage.c.account_id == bindparam("account_id"),
    monthly_usage.c.month == bindparam("month"),
)
_ADD = (
    update(monthly_usage)
    .where(
        monthly_usage.c.account_id == bindparam("of_account"),
        monthly_usage.c.month == bindparam("of_month"),
    )
    .values({name: monthly_usage.c[name] + bindparam(name) for name in _FIGURES})
)
_INSERT = insert(monthly_usage)


def month_of(at: date) -> str:
    """The calendar month of a date, or of an aware time in UTC."""
    day = at.astimezone(UTC) if isinstance(at, datetime) else at
    return f"{day:%Y-%m}"


def read(tx: Transaction, account_id: str, at: date) -> MonthlyUsage:
    """What the account used in the month that `at` is in."""
    row = tx.read(MONTH, {"account_id": account_id, "month": month_of(at)}).one_or_none()
    return MonthlyUsage() if row is None else MonthlyUsage(*row)


def add(
    tx: Transaction,
    account_id: str,
    at: datetime,
    *,
    simulator_seconds: float = 0.0,
    qpu_tasks: int = 0,
    total_jobs: int = 0,
    total_cost_usd: float = 0.0,
) -> None:
    """Add to the month that `at` is in."""
    month = month_of(at)
    figures = {
        "simulator_seconds": simulator_seconds,
        "qpu_tasks": qpu_tasks,
        "total_jobs": total_jobs,
        "total_cost_usd": total_cost_usd,
    }
    added = tx.write(_ADD, {"of_account": account_id, "of_month": month, **figures})
    if added.rowcount == 0:
        tx.write(_INSERT, {"account_id": account_id, "month": month, **figures})
