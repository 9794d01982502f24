"""Calls that are repeated, and streams that are resumed, if that is safe."""

import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import grpc

from quantcloud.client import errors
from quantcloud.client.network.connection import NO_TOKEN, Connection
from quantcloud.client.network.statuses import from_call, is_lost, never_connected, unreachable
from quantcloud.client.network.transport import Duplex, Metadata, Transport
from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2_grpc,
    job_pb2_grpc,
    status_pb2_grpc,
)

RETRY_SECONDS = 300.0
"""How long the client repeats a call without an answer."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# How long one attempt may take. It ends a call on a connection that no longer delivers anything.
_ATTEMPT_SECONDS = 90.0

OnWait = Callable[[errors.QuantCloudError, float], None]
"""Called before each pause, with the error and the length of the pause in seconds."""


def _service(stub: Callable[[Any], Any]) -> Any:
    """Return a property with the stub of a service on the caller's channel."""
    return property(lambda caller: stub(caller.transport.channel()))


class Caller:
    """Calls one server with one token."""

    def __init__(
        self,
        connection: Connection,
        transport: Transport,
        retry_seconds: float,
        on_wait: OnWait | None,
    ) -> None:
        self.connection = connection
        self.transport = transport
        self.retry_seconds = retry_seconds
        self.on_wait = on_wait
        # Before the first connection, a server that cannot be reached is a mistake, not an outage.
        self.reached = False

    def __reduce__(self) -> Any:
        raise TypeError(
            "a client and its jobs cannot be copied or pickled: make a client in each process, and "
            "find a job there with `client.job(job_id)`; results can be pickled"
        )

    circuits = _service(circuit_pb2_grpc.CircuitServiceStub)
    jobs = _service(job_pb2_grpc.JobServiceStub)
    backends = _service(backend_pb2_grpc.BackendServiceStub)
    keys = _service(api_key_pb2_grpc.ApiKeyServiceStub)
    accounts = _service(account_pb2_grpc.AccountServiceStub)
    platform = _service(status_pb2_grpc.StatusServiceStub)

    def metadata(self, key: str = "", *, anyone: bool = False) -> Metadata:
        """Return the metadata of a call, with an idempotency key if one is given."""
        if anyone:
            return ()
        if not self.connection.token:
            raise errors.NotConfigured("no token", hint=NO_TOKEN)
        named = (("idempotency-key", key),) if key else ()
        return (("authorization", f"Bearer {self.connection.token}"), *named)

    async def call(
        self, method: Any, request: Any, *, key: str = "", anyone: bool = False, again: bool = True
    ) -> Any:
        """Return the response to a call.

        `again` says that the server may get the request twice. `anyone` sends no credentials.
        Raises `QuantCloudError`.
        """
        retry = Retry(self, again=again)
        metadata = self.metadata(key, anyone=anyone)
        while True:
            try:
                response = await self.transport.call(method, request, metadata, _ATTEMPT_SECONDS)
            except grpc.RpcError as error:
                await retry.pause(error)
            else:
                self.reached = True
                return response

    async def stream(
        self, connect: Callable[[], tuple[Any, Any, Metadata]], deadline: "Deadline"
    ) -> AsyncGenerator[Any]:
        """Yield the messages of one stream after another. `connect` resumes after the last message.

        Ends if a stream ends. Raises `QuantCloudError`, and `TimeoutError` at the deadline.
        """
        retry = Retry(self)
        while True:
            messages = self.transport.stream(*connect(), deadline.left())
            try:
                async for message in messages:
                    self.reached = True
                    retry.reset()
                    yield message
            except grpc.RpcError as error:
                if deadline.is_over():
                    raise TimeoutError from error
                await retry.pause(error, longest=deadline.left())
            else:
                return
            finally:
                await messages.aclose()

    async def duplex(self, method: Any) -> Duplex:
        """Open a stream of requests and responses."""
        return await self.transport.duplex(method, self.metadata())


class Deadline:
    """The end of a wait of `seconds`, or none."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._at = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        return None if self._at is None else max(0.001, self._at - time.monotonic())

    def is_over(self) -> bool:
        return self._at is not None and time.monotonic() >= self._at - 0.01


class Retry:
    """The attempts of one call, with pauses that grow unless the server asks for others."""

    def __init__(self, caller: Caller, *, again: bool = True) -> None:
        self._caller = caller
        self._again = again
        self.reset()

    def reset(self) -> None:
        """Start anew, after an answer."""
        self._pause = _FIRST_PAUSE
        self._began: float | None = None

    async def pause(self, error: grpc.RpcError, longest: float | None = None) -> None:
        """Wait before the next attempt. Raises the typed error if there should be none."""
        if never_connected(error):
            problem = unreachable(error, self._caller.connection.address)
        else:
            problem = from_call(error)
            self._caller.reached = True
        again = self._again if is_lost(error) else problem.retry_after is not None
        if not (again and self._caller.reached):
            raise problem from error
        await self.wait(problem, longest, cause=error)

    async def wait(
        self,
        problem: errors.QuantCloudError,
        longest: float | None = None,
        cause: Exception | None = None,
    ) -> None:
        """Wait as long as the error asks for. Raises it if that exceeds the time for attempts."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        seconds = max(self._pause * random.uniform(0.5, 1), problem.retry_after or 0)  # noqa: S311  # no secret
        if now - self._began + seconds > self._caller.retry_seconds:
            raise problem from cause
        if longest is not None and seconds > longest:
            seconds = longest
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if self._caller.on_wait is not None:
            self._caller.on_wait(problem, seconds)
        await self._caller.transport.sleep(seconds)
