"""The caller of the current call."""

from collections.abc import Container, Mapping
from contextvars import ContextVar
from typing import TypeAlias

import grpc.aio

from quantcloud.auth.principal import Principal
from quantcloud.auth.rate_limits import RateAllowance

# The stubs declare it as generic, but the class is not. Calls read and write bytes.
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

_NO_HEADERS: Mapping[str, str] = {}


class Caller:
    """Who makes a call. `principal` is None without credentials; `allowance` is None without an
    account or without a limit. `job_id` is the job of the call, if it has just one.
    `origin` is what `AccessControl.origin` found. `at_end` tells that the stream's next message is
    its last.
    """

    __slots__ = ("_headers", "allowance", "at_end", "context", "job_id", "origin", "principal")

    def __init__(self, context: Context, principal: Principal | None = None) -> None:
        self.context = context
        self.principal: Principal | None = principal
        self.allowance: RateAllowance | None = None
        self.job_id: str | None = None
        self.at_end = False
        self.origin: dict[str, str] | None = None
        self._headers: Mapping[str, str] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The call's text headers by their lower-case names. None are left after `free_headers`."""
        if self._headers is None:
            self._headers = headers_of(self.context)
        return self._headers

    def free_headers(self, needed: Container[str]) -> None:
        """Free the memory of `headers`. They are read again only if one of them is `needed`.

        A servicer runs after this: it uses `headers_of`.
        """
        self._headers = None if any(name in needed for name in self.headers) else _NO_HEADERS


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
