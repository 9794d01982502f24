"""The caller of the current call."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final, TypeAlias

import grpc.aio

from quantcloud.auth.limits.rate_limits import RateAllowance
from quantcloud.auth.principal import Principal
from quantcloud.auth.tokens.tickets import LAST_EVENT_ID

# The stubs declare it as generic, but the class is not. Calls read and write bytes.
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

IDEMPOTENCY_KEY: Final = "idempotency-key"
# Envoy's transcoder sets this header on a call that came over REST.
_REST_PATH: Final = "x-envoy-original-path"
# The header of a stream that a HEAD request asked for. Envoy's Lua filter sets it.
_ONLY_HEADERS: Final = "x-only-headers"


class Caller:
    """Who makes a call, and what the call's headers say.

    `principal` is None without credentials; `allowance` is None without an account or without a
    limit. `job_id` is the job of the call, if it has just one. `origin` is what
    `AccessControl.origin` found. `at_end` tells that the stream's next message is its last.

    It holds no headers, because a call may last for hours: `headers_of` asks gRPC for them.
    """

    __slots__ = (
        "allowance", "at_end", "context", "idempotency_keys", "job_id", "last_event_id",
        "only_headers", "origin", "over_rest", "principal",
    )  # fmt: skip

    def __init__(self, context: Context, principal: Principal | None = None) -> None:
        self.context = context
        self.principal: Principal | None = principal
        self.allowance: RateAllowance | None = None
        self.job_id: str | None = None
        self.at_end = False
        self.origin: dict[str, str] | None = None
        self.last_event_id: str | None = None
        self.over_rest = self.only_headers = False
        self.idempotency_keys: frozenset[str] = frozenset()
        """The different values of the header."""

    def read(self, headers: Mapping[str, str]) -> None:
        """Keep what the headers say that the call needs later."""
        self.last_event_id = headers.get(LAST_EVENT_ID)
        self.over_rest = _REST_PATH in headers
        self.only_headers = _ONLY_HEADERS in headers
        if IDEMPOTENCY_KEY in headers:
            metadata = self.context.invocation_metadata() or ()
            self.idempotency_keys = frozenset(
                str(value) for name, value in metadata if name == IDEMPOTENCY_KEY
            )


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
