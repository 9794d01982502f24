"""Counts and logs calls."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from quantcloud.telemetry import later, logs, metrics


class EndedCall(NamedTuple):
    """A call that ended. `origin` has its ids and its client's address. Without it, it is not
    logged.
    """

    method: str
    code: str
    seconds: float
    origin: Mapping[str, str] | None
    account_id: str | None
    job_id: str | None


def ended(call: EndedCall) -> None:
    """Count the end of a call, and log it."""
    later.do(_count, call, time.time())


def _count(call: EndedCall, at: float) -> None:
    metrics.RPC_SECONDS.labels(call.method, call.code).observe(call.seconds)
    if call.origin is None:
        return
    fields: dict[str, object] = {
        **call.origin,
        "method": call.method,
        "code": call.code,
        "ms": round(call.seconds * 1000, 1),
    }
    if call.account_id is not None:
        fields["account_id"] = call.account_id
    if call.job_id is not None:
        fields["job_id"] = call.job_id
    logs.info("call", "api", fields, at)
