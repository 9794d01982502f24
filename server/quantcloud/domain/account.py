"""Accounts, their tiers, API keys and usage."""

from dataclasses import fields
from datetime import datetime
from enum import StrEnum

from quantcloud.domain.value_object import value_object


class Tier(StrEnum):
    """A named set of limits that an account has."""

    EXPLORER = "explorer"
    DEVELOPER = "developer"
    ENTERPRISE = "enterprise"


@value_object
class MonthlyLimits:
    """What a tier allows in one calendar month in UTC; None means no limit."""

    simulator_minutes: float | None
    qpu_tasks: int | None
    credits_usd: float


@value_object
class TierLimits:
    """What a tier allows; None means no limit. Months are calendar months in UTC.

    `max_shots` is for each of the points of a job.

    Raises `ValueError` for a limit below 0.
    """

    max_shots: int
    max_points: int
    max_qubits: int
    max_concurrent_jobs: int
    max_waiting_jobs: int
    api_keys: int
    simulator_minutes: float | None
    qpu_tasks: int | None
    credits_usd: float
    job_seconds: float
    requests_per_minute: int | None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # Also refuses NaN, for which no comparison holds.
            if value is not None and not value >= 0:
                raise ValueError(f"{field.name} must be 0 or more, is {value}")

    @property
    def monthly(self) -> MonthlyLimits:
        return MonthlyLimits(self.simulator_minutes, self.qpu_tasks, self.credits_usd)

    def run_seconds(self, wanted: float | None) -> float:
        """Return a run's time limit in seconds: `wanted`, but at most the tier's limit."""
        return self.job_seconds if wanted is None else min(self.job_seconds, wanted)


@value_object
class Account:
    """An account; `id` is the `sub` of its owner's JWT."""

    id: str
    tier: Tier
    created_at: datetime
    email: str | None = None
    name: str | None = None


@value_object
class ApiKey:
    """An API key without its text. `prefix` is the start of the text, to tell keys apart."""

    id: str
    account_id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None = None


@value_object
class MonthlyUsage:
    """What an account used in one calendar month in UTC.

    Tasks and costs on quantum hardware count in the month of the submission, from the submission
    on. A job that ends without a run gives them back.
    """

    simulator_seconds: float = 0.0
    qpu_tasks: int = 0
    total_jobs: int = 0
    total_cost_usd: float = 0.0
