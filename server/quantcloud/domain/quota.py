"""What an account has left of its limits, and whether a job fits."""

import math
from datetime import UTC, datetime

from quantcloud.domain.account import MonthlyLimits, MonthlyUsage
from quantcloud.domain.errors import QuotaExceeded

_SECONDS = 60
# Binary sums of costs have rounding errors, so a millionth of a dollar is ignored.
_CENTS_ROUNDING = 1e-6
_DECEMBER = 12


def next_month(at: datetime) -> datetime:
    """Return the start of the calendar month in UTC that follows `at`."""
    day = at.astimezone(UTC)
    year, month = (day.year + 1, 1) if day.month == _DECEMBER else (day.year, day.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


def simulator_seconds_left(limits: MonthlyLimits, used: MonthlyUsage) -> float | None:
    """Return the month's remaining seconds on simulators, or None if there is no limit."""
    if limits.simulator_minutes is None:
        return None
    return max(0.0, limits.simulator_minutes * _SECONDS - used.simulator_seconds)


def month_left(limits: MonthlyLimits, used: MonthlyUsage) -> MonthlyLimits:
    """Return what an account has left of the month's limits."""
    seconds, tasks = simulator_seconds_left(limits, used), limits.qpu_tasks
    return MonthlyLimits(
        None if seconds is None else seconds / _SECONDS,
        None if tasks is None else max(0, tasks - used.qpu_tasks),
        max(0.0, limits.credits_usd - used.total_cost_usd),
    )


def check_waiting(account_id: str, waiting: int, maximum: int, number: int = 1) -> None:
    """Raise `QuotaExceeded` if `number` more jobs may not wait beside `waiting` others."""
    if waiting + number <= maximum:
        return
    wanted = "" if number == 1 else f", {number} more are requested"
    raise QuotaExceeded(
        "max_waiting_jobs",
        f"max_waiting_jobs: {waiting} jobs are waiting{wanted} and the limit is {maximum}; "
        "submit again when some have started",
        subject=account_id,
        maximum=maximum,
        requested=number,
        used=waiting,
    )


def month_bounds(limits: MonthlyLimits, *, qpu_tasks: int, cost_usd: float) -> dict[str, float]:
    """Return the usage of the month up to which a job is accepted.

    The time on simulators must be below `seconds_below`, and the rest may be equal to its bound.
    `qpu_tasks` is 1 for a job on quantum hardware and 0 for one on a simulator. `cost_usd` is the
    price of the job. The time on a simulator is not known in advance, so a job is accepted while
    any of the month's time is left.
    """
    bounds: dict[str, float] = {}
    if not qpu_tasks and limits.simulator_minutes is not None:
        bounds["seconds_below"] = limits.simulator_minutes * _SECONDS
    if qpu_tasks and limits.qpu_tasks is not None:
        bounds["most_tasks"] = limits.qpu_tasks - qpu_tasks
    if cost_usd > 0:
        bounds["most_cost"] = limits.credits_usd + _CENTS_ROUNDING - cost_usd
    return {name: bound for name, bound in bounds.items() if math.isfinite(bound)}


def check_month(
    account_id: str,
    limits: MonthlyLimits,
    used: MonthlyUsage,
    at: datetime,
    *,
    qpu_tasks: int,
    cost_usd: float,
) -> None:
    """Raise `QuotaExceeded` if the usage of the month is beyond the `month_bounds` of a job."""
    bounds = month_bounds(limits, qpu_tasks=qpu_tasks, cost_usd=cost_usd)
    resets_at = next_month(at)
    if used.simulator_seconds >= bounds.get("seconds_below", math.inf):
        allowed = limits.simulator_minutes or 0
        raise QuotaExceeded(
            "simulator_minutes",
            f"simulator_minutes: the month's {allowed:g} minutes are used up, "
            "and a job needs more than 0",
            subject=account_id,
            maximum=allowed,
            requested=0,
            used=used.simulator_seconds / _SECONDS,
            resets_at=resets_at,
        )
    if limits.qpu_tasks is not None and used.qpu_tasks > bounds.get("most_tasks", math.inf):
        raise QuotaExceeded(
            "qpu_tasks",
            f"qpu_tasks: {used.qpu_tasks} of the month's {limits.qpu_tasks} tasks on quantum "
            f"hardware are used, {qpu_tasks} more is requested",
            subject=account_id,
            maximum=limits.qpu_tasks,
            requested=qpu_tasks,
            used=used.qpu_tasks,
            resets_at=resets_at,
        )
    if used.total_cost_usd > bounds.get("most_cost", math.inf):
        raise QuotaExceeded(
            "credits_usd",
            f"credits_usd: ${used.total_cost_usd:.2f} of the month's ${limits.credits_usd:.2f} of "
            f"credits are used, this job costs ${cost_usd:.2f}",
            subject=account_id,
            maximum=limits.credits_usd,
            requested=cost_usd,
            used=used.total_cost_usd,
            resets_at=resets_at,
        )
