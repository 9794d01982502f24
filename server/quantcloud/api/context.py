"""The context of the current call: its principal and its allowance."""

from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc.aio

from quantcloud.auth.principal import Principal
from quantcloud.auth.rate_limits import RateAllowance

# The stubs declare these as generic, but the classes are not.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# What is left of the caller's request rate; None without an account or without a limit.
allowance: ContextVar[RateAllowance | None] = ContextVar("allowance", default=None)
_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)


def set_principal(principal: Principal) -> None:
    """Set the caller for the rest of this call."""
    _principal.set(principal)


def known_principal() -> Principal | None:
    """Return the caller, or None if the RPC needs no credentials."""
    return _principal.get()


def principal() -> Principal:
    """Return the caller. Raises `LookupError` if the RPC's access rule needs no credentials."""
    found = _principal.get()
    if found is None:
        raise LookupError("this RPC's access rule asks for no credentials")
    return found
