"""Accounts, their tiers and keys, and what they used."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Tier(StrEnum):
    """What an account is entitled to."""

    EXPLORER = "explorer"
    DEVELOPER = "developer"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class TierLimits:
    """What a tier allows; None is no limit. Per-month figures count calendar months in UTC."""

    max_shots: int
    max_qubits: int
    max_concurrent_jobs: int
    max_waiting_jobs: int
    api_keys: int
    simulator_minutes: float | None
    qpu_tasks: int | None
    credits_usd: float
    job_seconds: float
    requests_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Account:
    """An account; `id` is the `sub` of its owner's JWT."""

    id: str
    tier: Tier
    created_at: datetime
    email: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key without its text. `prefix` is the text's beginning, to tell keys apart."""

    id: str
    account_id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MonthlyUsage:
    """What an account used in one calendar month in UTC."""

    simulator_seconds: float = 0.0
    qpu_tasks: int = 0
    total_jobs: int = 0
    total_cost_usd: float = 0.0
