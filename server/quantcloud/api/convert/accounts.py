"""Converts usage."""

from quantcloud.api.convert.values import message_of
from quantcloud.services.accounts import Usage
from thequantcloud.v1 import account_pb2


def usage(usage: Usage) -> account_pb2.GetUsageResponse:
    limits, month = usage.limits, usage.month
    minutes = month.simulator_seconds / 60
    return message_of(
        account_pb2.GetUsageResponse,
        usage,
        current_month=message_of(
            account_pb2.MonthlyUsage,
            month,
            simulator_minutes=minutes,
            simulator_limit=limits.simulator_minutes,
            qpu_limit=limits.qpu_tasks,
        ),
        limits=message_of(account_pb2.TierLimits, limits, api_keys_limit=limits.api_keys),
        simulator_minutes_used=minutes,
        simulator_minutes_limit=limits.simulator_minutes,
        qpu_tasks_used=month.qpu_tasks,
        qpu_tasks_limit=limits.qpu_tasks,
    )
