"""Who may come in: access rules, credentials, and how often."""

import hmac
import ipaddress
import re
from collections.abc import Hashable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any
from urllib.parse import unquote

from google.protobuf.descriptor import MethodDescriptor

from quantcloud.api import context as call
from quantcloud.api.context import Context
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.open_streams import OpenStreams
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.rate_limits import RequestLimits, refuse
from quantcloud.domain.errors import PermissionDenied, Unauthenticated
from thequantcloud.v1 import (
    access_pb2,
    account_pb2,
    api_key_pb2,
    backend_pb2,
    circuit_pb2,
    job_pb2,
    status_pb2,
)

CONTRACT = (account_pb2, api_key_pb2, backend_pb2, circuit_pb2, job_pb2, status_pb2)
PROXY_SECRET_HEADER = "x-quantcloud-proxy-secret"  # noqa: S105  # a name
_CLIENT_HEADER = "x-forwarded-for"
_HEALTH = "/thequantcloud.v1.StatusService/GetHealth"
_PEER = re.compile(r"ipv[46]:\[?([^\]]+?)\]?:\d+")
# What one household or one server is given of IPv6.
_IPV6_PREFIX = 64


def methods() -> Mapping[str, MethodDescriptor]:
    """Every RPC of the contract by its full path."""
    return {
        f"/{service.full_name}/{method.name}": method
        for module in CONTRACT
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def access_rule(method: MethodDescriptor) -> int:
    """The RPC's access rule as the contract states it."""
    extension: Any = access_pb2.access  # its stub does not say that it is an extension
    return int(method.GetOptions().Extensions[extension])


class AccessControl:
    """Lets calls in.

    `proxy_secret` is what our Envoy, and nobody else, sends along; None where there is no secret,
    and so no Envoy whose word counts.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        limits: RequestLimits,
        streams: OpenStreams,
        proxy_secret: str | None,
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._streams = streams
        self.arriving = streams.arriving
        self._proxy_secret = proxy_secret.encode() if proxy_secret else None
        self._rules = {path: access_rule(method) for path, method in methods().items()}

    async def admit(self, path: str, context: Context) -> None:
        """Authenticate and count a call as its RPC's rule asks. One without a rule is refused.

        Leaves the principal and its allowance in `call`. Raises `Unauthenticated`,
        `PermissionDenied` or `RateLimited`.
        """
        rule = self._rules.get(path, access_pb2.Access.unspecified)
        headers = headers_of(context)
        if rule == access_pb2.Access.anyone:
            await self.admit_anyone(context, health=path == _HEALTH)
            return
        if rule == access_pb2.Access.unspecified:
            raise PermissionDenied("this RPC is open to nobody")
        principal = await self._authenticate(context, headers)
        await self.count(principal)
        if rule == access_pb2.Access.jwt and principal.credential is not Credential.JWT:
            raise PermissionDenied(
                "this needs a JWT: sign in; an API key does not reach this far",
                reason="JWT_REQUIRED",
            )
        call.set_principal(principal)

    async def _authenticate(self, context: Context, headers: Mapping[str, str]) -> Principal:
        """The caller. Counts credentials that do not hold."""
        try:
            return await self._authenticator.authenticate(headers)
        except Unauthenticated:
            await self._limits.failed_login(self._address(context, headers))
            raise

    async def admit_upload(self, context: Context) -> AbstractAsyncContextManager[None]:
        """Let the body of a request of an account in, which the call itself is counted for.

        It is on its way until the block is left, which waits for its turn. Raises
        `Unauthenticated`, `RateLimited` or `TooManyStreams`.
        """
        principal = await self._authenticate(context, headers_of(context))
        return self._streams.uploads.one(principal.account_id)

    async def count(self, principal: Principal) -> None:
        """Count a request of an account, whose allowance `call` has then. Raises `RateLimited`."""
        allowance = await self._limits.account(principal.account)
        call.allowance.set(allowance)
        if allowance is not None and not allowance.granted:
            raise refuse(allowance, f"requests for the {principal.account.tier} tier")

    async def authenticate(self, context: Context) -> Principal:
        """The caller by the credentials of a call, as they are now. Raises `Unauthenticated`."""
        return await self._authenticator.authenticate(headers_of(context))

    async def recheck(self, context: Context) -> None:
        """Make sure that the caller may still be here. Raises `Unauthenticated`."""
        await self._authenticator.recheck(call.principal(), headers_of(context))

    async def admit_anyone(self, context: Context, *, health: bool = False) -> None:
        """Count a call without credentials. Raises `RateLimited`."""
        address = self._address(context, headers_of(context))
        await self._limits.anonymous(address, health=health)

    def open_watch(self) -> None:
        """Count the caller's watch until `close_watch`. Raises `TooManyStreams`."""
        self._streams.open_watch(call.principal().account_id)

    def close_watch(self) -> None:
        self._streams.close_watch(call.principal().account_id)

    def stream_of_circuits(self) -> AbstractContextManager[None]:
        """Count the caller's stream for as long as the block lasts. Raises `TooManyStreams`."""
        return self._streams.circuits(call.principal().account_id)

    def stream_of_anyone(self, context: Context) -> AbstractContextManager[None]:
        """Count a stream without credentials for as long as the block lasts.

        Raises `TooManyStreams`.
        """
        return self._streams.stranger(self._address(context, headers_of(context)))

    def whose(self, context: Context) -> Hashable:
        """Whom a call's request is counted for: the account, or the address of a stranger."""
        principal = call.known_principal()
        if principal is not None:
            return principal.account_id
        return "address", self._address(context, headers_of(context))

    def lets_envoy_ask(self, headers: Mapping[str, str]) -> bool:
        """Whether a call with these headers may ask what only Envoy needs to know."""
        return self._proxy_secret is None or self._is_from_envoy(headers)

    def _is_from_envoy(self, headers: Mapping[str, str]) -> bool:
        secret = headers.get(PROXY_SECRET_HEADER, "").encode("utf-8", "replace")
        return self._proxy_secret is not None and hmac.compare_digest(secret, self._proxy_secret)

    def _address(self, context: Context, headers: Mapping[str, str]) -> str:
        """Where a call comes from: what Envoy says of it, or else the peer of the connection."""
        if self._is_from_envoy(headers):
            # Envoy puts the client first. In a call of its own its own address follows.
            return network(headers.get(_CLIENT_HEADER, "").partition(",")[0])
        return network(peer_address(context.peer()))


def peer_address(peer: str) -> str:
    """The address in gRPC's name of a peer, such as `ipv6:%5B::1%5D:5000`; else all of it."""
    match = _PEER.fullmatch(unquote(peer))
    return match[1] if match else peer


def network(address: str) -> str:
    """The address, of IPv6 the network that its owner has; any other text as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))


def headers_of(context: Context) -> dict[str, str]:
    """A call's headers that are text, by their lower-case names."""
    return {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }
