"""The caller of the current call."""

from contextvars import ContextVar
from typing import TypeAlias

import grpc.aio

from quantcloud.auth.principal import Principal
from quantcloud.auth.rate_limits import RateAllowance

# The stubs declare it as generic, but the class is not. Calls read and write bytes.
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


class Caller:
    """Who makes a call. `principal` is None without credentials; `allowance` is None without an
    account or without a limit. `job_id` is the job of the call, if it has just one.
    """

    __slots__ = ("allowance", "context", "job_id", "principal")

    def __init__(self, context: Context, principal: Principal | None = None) -> None:
        self.context = context
        self.principal: Principal | None = principal
        self.allowance: RateAllowance | None = None
        self.job_id: str | None = None


current: ContextVar[Caller] = ContextVar("current")
"""The caller of the call that this task answers."""


def principal() -> Principal:
    """Return the caller. Raises `LookupError` if the RPC's access rule needs no credentials."""
    found = current.get().principal
    if found is None:
        raise LookupError("this RPC's access rule asks for no credentials")
    return found


def headers_of(context: Context) -> dict[str, str]:
    """Return a call's text headers by their lower-case names."""
    return {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
