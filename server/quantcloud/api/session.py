"""The sessions of calls: the state of a call while it is answered, and how to answer it."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import structlog

from quantcloud.api import context as call
from quantcloud.api.access import AccessControl, headers_of
from quantcloud.api.context import Context
from quantcloud.api.errors import Refusal, internal, rate_limit_headers, refuse
from quantcloud.auth.principal import Principal
from quantcloud.domain.errors import Damaged, DomainError

_MAXIMUM_REQUEST_ID_LENGTH = 128
# Envoy's transcoder sets this header on a call that came over REST.
_REST_PATH = "x-envoy-original-path"
# How long a client may take to read the last message of its stream.
_LAST_EVENT_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)
# Checking its level costs less than a line that is dropped.
_level = logging.getLogger(__name__)


class Session:
    """A call's log line, its request id, and the rate limit headers of its answer."""

    __slots__ = ("_context", "_path", "_sent", "_started")

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._context = context
        # Only the log uses the time, and there may be very many sessions.
        self._started = time.monotonic() if _level.isEnabledFor(logging.DEBUG) else 0.0
        self._sent = False

    async def send_headers(self) -> None:
        """Send the headers of a successful answer, once."""
        allowance = call.allowance.get()
        if not self._sent and allowance is not None:
            await self._context.send_initial_metadata(rate_limit_headers(allowance))
        self._sent = True

    def refusal(self, error: Exception) -> Refusal:
        """Return the refusal for an error. Logs unexpected exceptions."""
        if isinstance(error, Damaged):
            return internal(self._request_id(), error)
        if isinstance(error, DomainError):
            return refuse(error)
        if isinstance(error, Refusal):
            return error
        request_id = self._request_id()
        log.error("unexpected exception", method=self._path, request_id=request_id, exc_info=error)
        return internal(request_id)

    async def abort(self, error: Exception) -> None:
        """End the call with the error's status. Always raises."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, grpc.aio.InternalError):
            # The client is gone, so nothing can be sent. gRPC raised this error and ignores it.
            self.close(grpc.StatusCode.CANCELLED)
            raise error
        refusal = self.refusal(error)
        # Its frames hold the answer in memory, and a client may take long to read the status.
        error.__traceback__ = None
        self.close(refusal.code)
        if self._sent and _REST_PATH in headers_of(self._context):
            # Once server-sent events have begun, REST clients cannot see the call's status.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENT_SECONDS):
                    await self._context.write(refusal.last_message(self._path))
        metadata = refusal.metadata
        if not self._sent and (allowance := call.allowance.get()) is not None:
            metadata = (*metadata, *rate_limit_headers(allowance))
        await self._context.abort(refusal.code, refusal.message, metadata)

    def close(self, code: grpc.StatusCode) -> None:
        if _level.isEnabledFor(logging.DEBUG):
            log.debug(
                "call",
                method=self._path,
                code=code.name,
                request_id=self._request_id(),
                milliseconds=round((time.monotonic() - self._started) * 1000, 3),
            )

    def _request_id(self) -> str:
        """Return the caller's request id if it is valid, or a new one."""
        given = headers_of(self._context).get("x-request-id", "")
        usable = 0 < len(given) <= _MAXIMUM_REQUEST_ID_LENGTH and given.isprintable()
        return given if usable else str(uuid.uuid4())


class StreamSession(Session):
    """The session of a call with many answers. It checks the caller's credentials repeatedly."""

    __slots__ = ("_access", "_checked", "_recheck_seconds")

    def __init__(
        self, path: str, context: Context, access: AccessControl, recheck_seconds: float
    ) -> None:
        super().__init__(path, context)
        self._access = access
        self._recheck_seconds = recheck_seconds
        self._checked = 0.0

    async def admit(self) -> None:
        """Admit the call. Raises the errors of `AccessControl.admit`."""
        await self._access.admit(self._path, self._context)
        self._checked = time.monotonic()

    async def write(self, message: bytes) -> None:
        """Send an answer. Raises `Unauthenticated` if the credentials are no longer valid."""
        if time.monotonic() - self._checked >= self._recheck_seconds:
            await self._access.recheck(self._context)
            self._checked = time.monotonic()
        # Not earlier: Envoy can turn an error into an HTTP status only before the headers are sent.
        await self.send_headers()
        await self._context.write(message)


class BidiSession(StreamSession):
    """The session of a call with many requests. Each request is authenticated and counted."""

    __slots__ = ("_authenticating", "_caller", "_completed", "_parse", "_requested")

    def __init__(
        self,
        path: str,
        context: Context,
        access: AccessControl,
        recheck_seconds: float,
        parse: Callable[[bytes], Any],
    ) -> None:
        super().__init__(path, context, access, recheck_seconds)
        self._parse = parse
        # How many requests asked for an authentication, and how many of these are done.
        self._requested = self._completed = 0
        self._authenticating = asyncio.Lock()
        self._caller: Principal | None = None

    async def open(self) -> None:
        """Send the headers, which tell the caller that it was admitted. Envoy waits two minutes."""
        allowance = call.allowance.get()
        await self._context.send_initial_metadata(
            () if allowance is None else rate_limit_headers(allowance)
        )
        self._sent = True

    async def read(self) -> Any:
        """Return the next request, or None after the last.

        Raises `InvalidArgument` if the request cannot be read.
        """
        data: Any = await self._context.read()
        return None if data is grpc.aio.EOF else self._parse(data)

    async def allow(self) -> None:
        """Authenticate the caller again, set it in `call`, and count a request.

        By now the key may be revoked, or the account's tier changed. Raises `Unauthenticated` or
        `RateLimited`.
        """
        call.set_principal(await self._reauthenticated())
        await self._access.count(call.principal())

    async def _reauthenticated(self) -> Principal:
        """Return the caller from an authentication that began after this call.

        Requests that arrive together share one authentication, because it reads the database.
        """
        self._requested += 1
        mine = self._requested
        async with self._authenticating:
            if self._caller is None or self._completed < mine:
                requested = self._requested
                self._caller = await self._access.authenticate(self._context)
                self._checked = time.monotonic()
                self._completed = requested
            return self._caller
