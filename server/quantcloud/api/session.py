"""The session of a call: its caller, its limits, its deadline, and its end."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import grpc
import grpc.aio
import structlog
from google.protobuf.message import Message

from quantcloud.aio.deadlines import Deadlines
from quantcloud.api.access import HEALTH, HEALTH_SERVICE, AccessControl
from quantcloud.api.context import Caller, Context, current, headers_of
from quantcloud.api.convert.limits import check
from quantcloud.api.convert.values import lower_ids
from quantcloud.api.errors import (
    Refusal,
    internal,
    rate_limit_headers,
    refuse,
    request_timeout,
)
from quantcloud.api.large import encoded
from quantcloud.auth.principal import Principal
from quantcloud.domain.errors import Damaged, DomainError
from quantcloud.domain.value_object import value_object
from quantcloud.telemetry import audit, calls, logs, metrics, tracing
from quantcloud.telemetry.calls import EndedCall
from thequantcloud.v1 import job_pb2

# How long a client may take to read the last message of its stream.
_LAST_EVENT_SECONDS = 1.0

# Calls that monitors make every second. They are logged only if they fail.
_PROBES = (HEALTH_SERVICE, HEALTH)
_ID_LENGTH = 36
# The requests about the job of their `id`.
_OF_ONE_JOB = frozenset(
    method.input_type
    for method in job_pb2.DESCRIPTOR.services_by_name["JobService"].methods
    if "id" in method.input_type.fields_by_name
)

Request = TypeVar("Request", bound=Message)

log = structlog.stdlib.get_logger(__name__)


@value_object
class Rules:
    """What holds for all calls.

    A single request must arrive within `deadlines`. During a stream, credentials are checked again
    before an answer if the last check is at least `recheck_seconds` old.
    """

    access: AccessControl
    deadlines: Deadlines
    recheck_seconds: float


class Session(Caller):
    """One call. As a context, it ends the call: with OK, or with the status of an exception.

    Logs an exception that is not a domain error with the call's request id, and answers INTERNAL.
    """

    __slots__ = (
        "_authentication", "_checked", "_path", "_release", "_rules", "_sent",
        "_span", "_started",
    )  # fmt: skip

    def __init__(self, path: str, context: Context, rules: Rules) -> None:
        super().__init__(context)
        self._path = path
        self._rules = rules
        self._started = time.monotonic()
        self._checked = 0.0
        self._sent = False
        self._release: Callable[[Caller], None] | None = None
        self._authentication: _Authentication | None = None
        self._span: Any = None

    async def __aenter__(self) -> Self:
        current.set(self)
        metrics.RPCS_STARTED.labels(self._path).inc()
        if tracing.is_on and not self._path.startswith(_PROBES):
            self._span = tracing.begin_call(self._path, headers_of(self.context))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The client may take long to receive the end, and the frames hold answers in memory.
        del traceback
        try:
            if error is None:
                self._end_ok()
            elif isinstance(error, Exception):
                await self._abort(error)
            else:
                self._ended(grpc.StatusCode.CANCELLED)
        finally:
            if self._release is not None:
                self._release(self)
                metrics.OPEN_STREAMS.labels(self._path).dec()

    async def admit(self) -> None:
        """Admit the call. Raises the errors of `AccessControl.admit`."""
        began = time.time_ns()
        headers = headers_of(self.context)
        self.read(headers)
        await self._rules.access.admit(self._path, self, headers)
        self._checked = time.monotonic()
        if self._span is not None:
            tracing.note("admit", self._span, began)

    def count_stream(self) -> None:
        """Count the call as an open stream until it ends. Raises `TooManyStreams`."""
        self._release = self._rules.access.count_stream(self._path, self)
        metrics.OPEN_STREAMS.labels(self._path).inc()

    async def request(self, parse: Callable[[bytes], Request]) -> Request:
        """Return the only request of a call, parsed and within its limits.

        Raises `Refusal` if it does not arrive in time, `TooManyStreams` if too many other requests
        of the caller are unfinished, `InvalidArgument`, and the errors of
        `AccessControl.take_turn`.
        """
        access = self._rules.access
        owner, arriving = access.owner(self), access.arriving
        if not arriving.try_acquire(owner):
            await arriving.acquire(owner)
        try:
            data = await self._rules.deadlines.wait(self.context.read())
        except TimeoutError:
            raise request_timeout() from None
        finally:
            arriving.release(owner)
        request = parse(data)
        check(request)
        lower_ids(request)
        named: Any = request
        if request.DESCRIPTOR in _OF_ONE_JOB and len(named.id) == _ID_LENGTH:
            self.job_id = named.id
        await access.take_turn(self, request)
        return request

    async def send_headers(self, *, now: bool = False) -> None:
        """Send the headers of a successful answer, once.

        Without rate limit headers, gRPC sends them with the first answer, unless `now` is set.
        """
        if not self._sent and (now or self.allowance is not None):
            await self.context.send_initial_metadata(self.rate_limit_headers())
        self._sent = True

    async def write(self, data: bytes) -> None:
        """Send an answer. Raises the errors of `before_answer`."""
        await self.before_answer()
        await self.context.write(data)

    async def before_answer(self) -> None:
        """Prepare an answer of a stream.

        Raises `Unauthenticated` if the credentials are no longer valid.
        """
        if time.monotonic() - self._checked >= self._rules.recheck_seconds:
            await self._rules.access.recheck(self)
            self._checked = time.monotonic()
        # Not earlier: Envoy can turn an error into an HTTP status only before the headers are sent.
        await self.send_headers()

    async def allow(self) -> None:
        """Authenticate the caller of a stream again, and count a request.

        By now the key may be revoked, or the account's tier changed. Raises `Unauthenticated` or
        `RateLimited`.
        """
        if self._authentication is None:
            self._authentication = _Authentication(self._rules.access, self.context)
        self.principal = await self._authentication.principal()
        self._checked = time.monotonic()
        await self._rules.access.count(self, self.principal)

    def _end_ok(self) -> None:
        """End the call with OK. Without an answer, its headers go with the status.

        Envoy's Lua filter sees such a status with the headers, and answers 204 over REST.
        """
        self._ended(grpc.StatusCode.OK)
        if not self._sent:
            self.context.set_trailing_metadata(self.rate_limit_headers())

    def refusal(self, error: Exception) -> Refusal:
        """Return the refusal for an error. Logs unexpected exceptions."""
        if isinstance(error, Damaged):
            return internal(self._ids()["request_id"], error)
        if isinstance(error, DomainError):
            metrics.REFUSALS.labels(error.reason).inc()
            return refuse(error)
        if isinstance(error, Refusal):
            return error
        log.error("unexpected exception", method=self._path, **self._ids(), exc_info=error)
        return internal(self._ids()["request_id"])

    async def _abort(self, error: Exception) -> NoReturn:
        """End the call with the error's status."""
        if isinstance(error, grpc.aio.AbortError):
            self._ended(grpc.StatusCode.UNKNOWN)
            raise error
        if isinstance(error, grpc.aio.InternalError):
            # The client is gone, so nothing can be sent. gRPC raised this error and ignores it.
            self._ended(grpc.StatusCode.CANCELLED)
            raise error
        refusal = self.refusal(error)
        error.__traceback__ = None
        self._ended(refusal.code)
        if self._sent and self.over_rest:
            # Once server-sent events have begun, REST clients cannot see the call's status.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENT_SECONDS):
                    await self.context.write(await encoded(refusal.last_message(self._path)))
        metadata = refusal.metadata
        if not self._sent:
            metadata = (*metadata, *self.rate_limit_headers())
        await self.context.abort(refusal.code, refusal.message, metadata)

    def rate_limit_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the rate limit headers of the caller, if it has a limit."""
        return () if self.allowance is None else rate_limit_headers(self.allowance)

    def _ended(self, code: grpc.StatusCode) -> None:
        """Count the call, log it, and end its span."""
        seconds = time.monotonic() - self._started
        is_quiet = code is grpc.StatusCode.OK and self._path.startswith(_PROBES)
        origin = self._ids() if logs.is_on and not is_quiet else None
        account = None if self.principal is None else self.principal.account_id
        if self._span is not None:
            ids = {**self._ids(), "account_id": account, "job_id": self.job_id}
            tracing.end_call(self._span, code.name, ids)
        calls.ended(EndedCall(self._path, code.name, seconds, origin, account, self.job_id))

    def _ids(self) -> dict[str, str]:
        """Return the ids and the address by which logs name this call."""
        return self._rules.access.origin(self)

    def audit(self, event: str, **fields: str) -> None:
        """Note in the audit log what the caller did."""
        account = None if self.principal is None else self.principal.account_id
        audit.record(event, account_id=account, **fields, **self._ids())


def session() -> Session:
    """Return the session of the call that this task answers."""
    found = current.get()
    assert isinstance(found, Session)  # noqa: S101  # only tests set another caller
    return found


class _Authentication:
    """Authenticates the caller of a stream again, because its key may be revoked meanwhile.

    Requests that arrive together share one authentication, because it reads the database. Each
    gets one that began after the request.
    """

    def __init__(self, access: AccessControl, context: Context) -> None:
        self._access, self._context = access, context
        # How many requests asked for an authentication, and how many of these are served.
        self._asked = self._served = 0
        self._lock = asyncio.Lock()
        self._principal: Principal | None = None

    async def principal(self) -> Principal:
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._principal is None or self._served < mine:
                asked = self._asked
                self._principal = await self._access.authenticate(self._context)
                self._served = asked
            return self._principal
