"""What is known of the call that is being answered: its principal and allowance."""

from contextvars import ContextVar
from typing import Any, TypeAlias

import grpc.aio

from quantcloud.auth.principal import Principal
from quantcloud.auth.rate_limits import RateAllowance

# The stubs have these generic, the classes are not.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

# Where the caller stands with requests a minute; None without an account or without a limit.
allowance: ContextVar[RateAllowance | None] = ContextVar("allowance", default=None)
_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)


def set_principal(principal: Principal) -> None:
    """Remember who is calling, for as long as this call is answered."""
    _principal.set(principal)


def known_principal() -> Principal | None:
    """The caller; None of an RPC that is open to anyone."""
    return _principal.get()


def principal() -> Principal:
    """The caller. Only an RPC whose access rule asks for credentials has one."""
    found = _principal.get()
    if found is None:
        raise LookupError("this RPC's access rule asks for no credentials")
    return found
