"""What the interceptor keeps of a call while it is answered, and by what the call is answered."""

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
# Envoy's transcoder notes it, of a call that came over REST.
_REST_PATH = "x-envoy-original-path"
# How long a client may take to read how its stream ended.
_LAST_EVENT_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)
# Asking it costs less than a line that is dropped.
_level = logging.getLogger(__name__)


class Session:
    """One call's line in the log, its request id, and what its answer says of the caller's rate."""

    __slots__ = ("_began", "_context", "_path", "_sent")

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._context = context
        # Only the log tells, and there may be very many of these.
        self._began = time.monotonic() if _level.isEnabledFor(logging.DEBUG) else 0.0
        self._sent = False

    async def send_headers(self) -> None:
        """Send the headers of an answer that is no error, once."""
        allowance = call.allowance.get()
        if not self._sent and allowance is not None:
            await self._context.send_initial_metadata(rate_limit_headers(allowance))
        self._sent = True

    def refusal(self, error: Exception) -> Refusal:
        """The status that an error stands for. What nobody foresaw is logged."""
        if isinstance(error, Damaged):
            return internal(self._request_id(), error)
        if isinstance(error, DomainError):
            return refuse(error)
        if isinstance(error, Refusal):
            return error
        request_id = self._request_id()
        log.error("unforeseen exception", method=self._path, request_id=request_id, exc_info=error)
        return internal(request_id)

    async def abort(self, error: Exception) -> None:
        """End the call with the status that the error stands for."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, grpc.aio.InternalError):
            # What cannot be sent since the client is gone: gRPC, whose error it is, passes it over.
            self.close(grpc.StatusCode.CANCELLED)
            raise error
        refusal = self.refusal(error)
        # Its frames hold what was to be answered, and a client may take long to hear of this.
        error.__traceback__ = None
        self.close(refusal.code)
        if self._sent and _REST_PATH in headers_of(self._context):
            # Of server-sent events that have begun the end says nothing.
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
                milliseconds=round((time.monotonic() - self._began) * 1000, 3),
            )

    def _request_id(self) -> str:
        """The caller's own where it is usable."""
        given = headers_of(self._context).get("x-request-id", "")
        usable = 0 < len(given) <= _MAXIMUM_REQUEST_ID_LENGTH and given.isprintable()
        return given if usable else str(uuid.uuid4())


class StreamSession(Session):
    """That of a call with many answers, whose caller is looked at again now and then."""

    __slots__ = ("_access", "_checked", "_recheck_seconds")

    def __init__(
        self, path: str, context: Context, access: AccessControl, recheck_seconds: float
    ) -> None:
        super().__init__(path, context)
        self._access = access
        self._recheck_seconds = recheck_seconds
        self._checked = 0.0

    async def admit(self) -> None:
        """Let the call in. Raises what `AccessControl.admit` does."""
        await self._access.admit(self._path, self._context)
        self._checked = time.monotonic()

    async def write(self, message: bytes) -> None:
        """Send an answer. Raises `Unauthenticated` where the caller may no longer be here."""
        if time.monotonic() - self._checked >= self._recheck_seconds:
            await self._access.recheck(self._context)
            self._checked = time.monotonic()
        # Only now: an error that comes before every answer has no headers of its own, which Envoy
        # could not turn into a status any more.
        await self.send_headers()
        await self._context.write(message)


class BidiSession(StreamSession):
    """That of a call with many requests, each of which its caller is allowed or not."""

    __slots__ = ("_asked", "_caller", "_looked", "_looking", "_parse")

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
        # How many requests asked for a look at the caller, and how many of them have had theirs.
        self._asked = self._looked = 0
        self._looking = asyncio.Lock()
        self._caller: Principal | None = None

    async def open(self) -> None:
        """Tell the caller that it was let in. Envoy waits two minutes for that."""
        allowance = call.allowance.get()
        await self._context.send_initial_metadata(
            () if allowance is None else rate_limit_headers(allowance)
        )
        self._sent = True

    async def read(self) -> Any:
        """The next request; None after the last.

        Raises `InvalidArgument` for one that cannot be read.
        """
        data: Any = await self._context.read()
        return None if data is grpc.aio.EOF else self._parse(data)

    async def allow(self) -> None:
        """Look at the caller again, who is in `call` from then on, and count a request.

        A key may be revoked by now, and the account's tier be another. Raises `Unauthenticated` or
        `RateLimited`.
        """
        call.set_principal(await self._seen_again())
        await self._access.count(call.principal())

    async def _seen_again(self) -> Principal:
        """The caller, by a look that began after this was called.

        Requests that come together wait for one look, which reads the database.
        """
        self._asked += 1
        mine = self._asked
        async with self._looking:
            if self._caller is None or self._looked < mine:
                asked = self._asked
                self._caller = await self._access.authenticate(self._context)
                self._checked = time.monotonic()
                self._looked = asked
            return self._caller
