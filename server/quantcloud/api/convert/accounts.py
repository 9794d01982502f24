"""Converts accounts, API keys and usage."""

from quantcloud.api.convert.values import timestamp
from quantcloud.domain.account import Account, ApiKey
from quantcloud.services.accounts import Usage
from thequantcloud.v1 import account_pb2, api_key_pb2


def usage(usage: Usage) -> account_pb2.GetUsageResponse:
    limits, month = usage.limits, usage.month
    minutes = month.simulator_seconds / 60
    return account_pb2.GetUsageResponse(
        tier=usage.tier,
        credits_remaining_usd=usage.credits_remaining_usd,
        current_month=account_pb2.MonthlyUsage(
            simulator_minutes=minutes,
            simulator_limit=limits.simulator_minutes,
            qpu_tasks=month.qpu_tasks,
            qpu_limit=limits.qpu_tasks,
            total_jobs=month.total_jobs,
            total_cost_usd=month.total_cost_usd,
        ),
        limits=account_pb2.TierLimits(
            max_shots=limits.max_shots,
            max_qubits=limits.max_qubits,
            max_concurrent_jobs=limits.max_concurrent_jobs,
            api_keys_limit=limits.api_keys,
            max_points=limits.max_points,
        ),
        simulator_minutes_used=minutes,
        simulator_minutes_limit=limits.simulator_minutes,
        qpu_tasks_used=month.qpu_tasks,
        qpu_tasks_limit=limits.qpu_tasks,
    )


def api_key(key: ApiKey) -> api_key_pb2.ApiKey:
    return api_key_pb2.ApiKey(
        id=key.id,
        name=key.name,
        key_prefix=key.prefix,
        created_at=timestamp(key.created_at),
        last_used_at=timestamp(key.last_used_at) if key.last_used_at else None,
    )


def profile(account: Account) -> account_pb2.Profile:
    return account_pb2.Profile(
        id=account.id,
        email=account.email,
        name=account.name,
        tier=account.tier,
        created_at=timestamp(account.created_at),
    )
