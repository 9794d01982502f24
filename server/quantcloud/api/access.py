"""Admission of calls: access rules, credentials and rate limits."""

import hmac
import ipaddress
import re
from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from functools import lru_cache
from itertools import count
from random import getrandbits
from typing import Any
from urllib.parse import unquote

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from quantcloud.api.context import Caller, Context, headers_of
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.limits.rate_limits import RateAllowance, RequestLimits, refuse
from quantcloud.auth.limits.turns import Turns
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.tokens import tickets
from quantcloud.domain.errors import PermissionDenied, RateLimited, Unauthenticated
from quantcloud.telemetry import audit
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
# Infrastructure services. Their specifications let anyone call them.
HEALTH_SERVICE = "/grpc.health.v1."
REFLECTION_SERVICES = "/grpc.reflection."
_CLIENT_HEADER = "x-forwarded-for"
_REQUEST_ID = "x-request-id"
# Where Envoy keeps the request id of a client, for which it puts its own.
_CLIENTS_REQUEST_ID = "x-client-request-id"
_MAXIMUM_REQUEST_ID_LENGTH = 128
HEALTH = "/thequantcloud.v1.StatusService/GetHealth"
# Clients that cannot stream ask for their job again and again. See `AccessControl.take_turn`.
_MAY_WAIT = "/thequantcloud.v1.JobService/GetJob"
_PEER = re.compile(r"ipv[46]:\[?([^\]]+?)\]?:\d+")
# What begins the request ids that this server makes, and what ends them. They need not be hard to
# guess, and a random one each takes several times as long.
_SERVERS_ID = f"{getrandbits(64):016x}"
_numbers = count(1)
# The IPv6 prefix that a household or a server usually gets, in bits.
_IPV6_PREFIX = 64

log = structlog.stdlib.get_logger(__name__)


def methods() -> Mapping[str, MethodDescriptor]:
    """Return every RPC of the contract by its full path."""
    return {
        f"/{service.full_name}/{method.name}": method
        for module in CONTRACT
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def access_rule(method: MethodDescriptor) -> int:
    """Return the RPC's access rule from the contract."""
    extension: Any = access_pb2.access  # its stub lacks the type of an extension
    return int(method.GetOptions().Extensions[extension])


class AccessControl:
    """Admits calls.

    `proxy_secret` is a secret that only our Envoy sends. If it is None, no Envoy is trusted.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        limits: RequestLimits,
        streams: OpenStreams,
        proxy_secret: str | None,
        turns: Turns,
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._streams = streams
        self._turns = turns
        self.arriving = streams.arriving
        self._proxy_secret = proxy_secret.encode() if proxy_secret else None
        # A method object each would take 80 bytes per watch.
        self._end_watch = self._close_watch
        contract = methods()
        self._rules = {path: access_rule(method) for path, method in contract.items()}
        self._of_circuits = {path for path, method in contract.items() if method.client_streaming}

    async def admit(self, path: str, caller: Caller, headers: Mapping[str, str]) -> None:
        """Authenticate and count a call according to its RPC's rule. Refuse an RPC without a rule.

        Sets the caller's principal and allowance. Raises `Unauthenticated`, `PermissionDenied` or
        `RateLimited`.
        """
        if path.startswith(HEALTH_SERVICE):
            return  # monitors ask for it, so it has no limit
        rule = self._rules.get(path, access_pb2.Access.unspecified)
        if tickets.HEADER in headers and rule != access_pb2.Access.ticket:
            raise Unauthenticated(
                "ticket: opens only the watch that it is for; send 'Authorization: Bearer <JWT>' "
                "or 'X-API-Key: qc_live_...' here",
                reason="INVALID_TICKET",
            )
        if rule == access_pb2.Access.anyone or path.startswith(REFLECTION_SERVICES):
            await self._limits.anonymous(self._address(caller), health=path == HEALTH)
            return
        if rule == access_pb2.Access.unspecified:
            raise PermissionDenied("no caller may use this RPC")
        principal = await self._authenticate(caller, headers)
        if path == _MAY_WAIT:
            caller.allowance = await self._limits.account(principal.account)
        else:
            await self.count(caller, principal)
        if rule == access_pb2.Access.jwt and principal.credential is not Credential.JWT:
            raise PermissionDenied(
                "this call needs a JWT: sign in; an API key is not enough",
                reason="JWT_REQUIRED",
            )
        caller.principal = principal

    async def _authenticate(self, caller: Caller, headers: Mapping[str, str]) -> Principal:
        """Return the principal. Counts failed logins of the caller's address."""
        try:
            return await self._authenticator.authenticate(headers)
        except Unauthenticated as error:
            if error.reason != "CREDENTIALS_MISSING":
                audit.record("login_failed", reason=error.reason, **self.origin(caller))
            await self._limits.failed_login(self._address(caller))
            raise

    async def admit_upload(self, caller: Caller) -> AbstractAsyncContextManager[None]:
        """Admit the body of an account's request. Only the call itself counts as a request.

        Entering the returned context waits for a free upload slot; leaving it frees the slot.
        Raises `Unauthenticated` or `RateLimited`. Entering raises `TooManyStreams`.
        """
        principal = await self._authenticate(caller, headers_of(caller.context))
        return self._streams.uploads.hold(principal.account_id)

    async def count(self, caller: Caller, principal: Principal) -> None:
        """Count a request of an account and set the caller's allowance. Raises `RateLimited`."""
        caller.allowance = allowance = await self._limits.account(principal.account)
        if allowance is not None and not allowance.granted:
            raise _refusal(principal, allowance)

    async def take_turn(self, caller: Caller, request: Message) -> None:
        """Let a request for an unfinished job wait if it is over its account's limit.

        It counts as a watch meanwhile. Raises `RateLimited` if it may not wait or waits too long,
        and `TooManyStreams`.
        """
        principal, refused = caller.principal, caller.allowance
        if principal is None or refused is None or refused.granted:
            return

        async def take() -> RateAllowance:
            return await self._limits.account(principal.account) or refused

        if not isinstance(request, job_pb2.GetJobRequest) or not await self._turns.may_wait(
            principal, request.id, refused
        ):
            raise _refusal(principal, refused)
        with self._streams.watches.taken(principal.account_id):
            allowance = await self._turns.wait(principal.account_id, refused, take)
        caller.allowance = allowance
        if not allowance.granted:
            raise _refusal(principal, allowance)

    async def authenticate(self, context: Context) -> Principal:
        """Authenticate the credentials of a call. Raises `Unauthenticated`."""
        return await self._authenticator.authenticate(headers_of(context))

    async def recheck(self, caller: Caller) -> None:
        """Check that the caller's credentials are still valid. Raises `Unauthenticated`."""
        if caller.principal is not None:
            await self._authenticator.recheck(caller.principal, headers_of(caller.context))

    def count_stream(self, path: str, caller: Caller) -> Callable[[Caller], None]:
        """Count a stream of the caller until the returned function is called with the caller.

        Raises `TooManyStreams`.
        """
        if caller.principal is not None and path not in self._of_circuits:
            # Not `taken`, which takes a kilobyte per watch.
            self._streams.watches.take(caller.principal.account_id)
            return self._end_watch
        held = ExitStack()
        if caller.principal is None:
            held.enter_context(self._streams.anonymous(self._address(caller)))
        else:
            held.enter_context(self._streams.circuits.taken(caller.principal.account_id))
        return lambda _: held.close()

    def _close_watch(self, caller: Caller) -> None:
        if caller.principal is not None:
            self._streams.watches.release(caller.principal.account_id)

    def owner(self, caller: Caller) -> Hashable:
        """Return the owner of a call's request: the account, or the address without one."""
        if caller.principal is not None:
            return caller.principal.account_id
        return "address", self._address(caller)

    async def check_envoy(self, context: Context) -> None:
        """End a call that is for Envoy only, unless its headers have the secret of our Envoy."""
        if self._proxy_secret is not None and not self._is_from_envoy(headers_of(context)):
            log.warning("refused an Envoy with another QUANTCLOUD_PROXY_SECRET")
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    def _is_from_envoy(self, headers: Mapping[str, str]) -> bool:
        given = headers.get(PROXY_SECRET_HEADER)
        if given is None or self._proxy_secret is None:
            return False
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._proxy_secret)

    def origin(self, caller: Caller) -> dict[str, str]:
        """Return the call's `request_id`, its `client_request_id` if the client sent one, and its
        `peer`: the client's address.

        Envoy makes the request id of its calls. A call without Envoy gets a new one here.
        """
        if caller.origin is not None:
            return caller.origin
        headers = headers_of(caller.context)
        if self._is_from_envoy(headers):
            # Envoy puts the client first. In its own calls, it appends its own address.
            peer = headers.get(_CLIENT_HEADER, "").partition(",")[0]
            own, clients = headers.get(_REQUEST_ID, ""), headers.get(_CLIENTS_REQUEST_ID, "")
        else:
            peer, own, clients = (
                peer_address(caller.context.peer()),
                "",
                headers.get(_REQUEST_ID, ""),
            )
        request_id = own if _is_usable(own) else f"{_SERVERS_ID}{next(_numbers):016x}"
        found = {"request_id": request_id}
        if _is_usable(clients):
            found["client_request_id"] = clients
        found["peer"] = peer
        caller.origin = found
        return found

    def _address(self, caller: Caller) -> str:
        """Return the address by which the caller is counted."""
        return network(self.origin(caller)["peer"])


def _refusal(principal: Principal, allowance: RateAllowance) -> RateLimited:
    return refuse(allowance, f"requests for the {principal.account.tier} tier")


def _is_usable(request_id: str) -> bool:
    return 0 < len(request_id) <= _MAXIMUM_REQUEST_ID_LENGTH and request_id.isprintable()


@lru_cache(1024)
def peer_address(peer: str) -> str:
    """Return the address in a gRPC peer name such as `ipv6:%5B::1%5D:5000`, or all of it."""
    match = _PEER.fullmatch(unquote(peer))
    return match[1] if match else peer


def network(address: str) -> str:
    """Return an IPv4 address, the /64 network of an IPv6 address, or any other text unchanged."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _IPV6_PREFIX), strict=False))
