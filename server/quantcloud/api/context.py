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
    account or without a limit. `job_id` is the job of the call, if it has just one. `at_end` tells
    that the stream's next message is its last.
    """

    __slots__ = ("_headers", "allowance", "at_end", "context", "job_id", "principal")

    def __init__(self, context: Context, principal: Principal | None = None) -> None:
        self.context = context
        self.principal: Principal | None = principal
        self.allowance: RateAllowance | None = None
        self.job_id: str | None = None
        self.at_end = False
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """The text headers of the call, as of `headers_of`. They are kept: see `forget_headers`."""
        if self._headers is None:
            self._headers = headers_of(self.context)
        return self._headers

    def forget_headers(self) -> None:
        """Free the memory of the headers. A stream may last for hours."""
        self._headers = None


current: ContextVar[Caller] = ContextVar("current")
"""The caller of the call that this task answers."""


def principal() -> Principal:
    """Return the caller. Raises `LookupError` if the RPC's access rule needs no credentials."""
    found = current.get().principal
    if found is None:
        raise LookupError("this RPC's access rule asks for no credentials")
    return found


def headers_of(context: Context) -> dict[str, str]:
    """Return a call's text headers by their lower-case names. gRPC decodes them each time."""
    return {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
