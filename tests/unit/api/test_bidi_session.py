"""The session of a call with many requests."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.api import context as call
from quantcloud.api import session as entries
from quantcloud.api.interceptor import CallInterceptor
from quantcloud.auth.open_streams import OpenStreams
from quantcloud.domain.errors import InvalidArgument, TooManyStreams
from unit.api.service import ADA


class Checks:
    """An access control that counts authentications and waits for the test in each."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.attempts = 0
        self.counted = 0

    async def authenticate(self, _context: object) -> str:
        self.attempts += 1
        attempt = self.attempts
        self.begun.set()
        await self.goes_on.wait()
        return f"caller of attempt {attempt}"

    async def count(self, _caller: object) -> None:
        self.counted += 1


async def test_concurrent_requests_share_an_authentication_that_began_after_them():
    gate = Checks()
    parts: Any = None, gate
    session = entries.BidiSession("/path", *parts, 10.0, bytes)

    async def request() -> object:
        await session.allow()
        return call.principal()

    first = asyncio.create_task(request())
    async with asyncio.timeout(10):
        await gate.begun.wait()
    later = [asyncio.create_task(request()) for _ in range(100)]
    await asyncio.sleep(0)
    gate.goes_on.set()
    assert await first == "caller of attempt 1"
    assert {await each for each in later} == {"caller of attempt 2"}
    assert (gate.attempts, gate.counted) == (2, 101)
    await request()
    assert gate.attempts == 3


async def test_a_stream_counts_until_its_client_has_received_its_end():
    streams = OpenStreams(1, of_circuits=1)
    ending_begun, received = asyncio.Event(), asyncio.Event()

    class AccessControl:
        def circuit_stream(self) -> AbstractContextManager[None]:
            return streams.circuits(ADA)

        async def admit(self, *_: object) -> None:
            """Admit every caller."""

    class Context:
        async def send_initial_metadata(self, _metadata: object) -> None:
            """Drop the metadata."""

        def invocation_metadata(self) -> Sequence[tuple[str, str]]:
            return ()

        async def abort(self, *_: object) -> None:
            ending_begun.set()
            await received.wait()
            raise grpc.aio.AbortError

    async def breaks(*_: object) -> None:
        raise InvalidArgument("request", "cannot be read")

    gate: Any = AccessControl()
    context: Any = Context()
    answer = CallInterceptor(gate)._bidi("/path", bytes, breaks)
    ending = asyncio.create_task(answer(None, context))
    await ending_begun.wait()
    with pytest.raises(TooManyStreams), streams.circuits(ADA):
        pass
    received.set()
    with pytest.raises(grpc.aio.AbortError):
        await ending
    with streams.circuits(ADA):
        pass
