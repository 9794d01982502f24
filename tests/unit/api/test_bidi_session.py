"""A call with many requests, as the interceptor keeps it."""

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
    """A gate that tells how often it looked, and looks when a test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.looks = 0
        self.counted = 0

    async def authenticate(self, _context: object) -> str:
        self.looks += 1
        look = self.looks
        self.begun.set()
        await self.goes_on.wait()
        return f"caller of look {look}"

    async def count(self, _caller: object) -> None:
        self.counted += 1


async def test_requests_that_come_together_have_one_look_in_common_that_none_is_older_than():
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
    assert await first == "caller of look 1"
    assert {await each for each in later} == {"caller of look 2"}
    assert (gate.looks, gate.counted) == (2, 101)
    await request()
    assert gate.looks == 3


async def test_a_stream_counts_until_its_client_has_heard_of_its_end():
    streams = OpenStreams(1, of_circuits=1)
    ending_begun, heard = asyncio.Event(), asyncio.Event()

    class AccessControl:
        def circuit_stream(self) -> AbstractContextManager[None]:
            return streams.circuits(ADA)

        async def admit(self, *_: object) -> None:
            """Everybody may come in."""

    class Context:
        async def send_initial_metadata(self, _metadata: object) -> None:
            """Nobody reads."""

        def invocation_metadata(self) -> Sequence[tuple[str, str]]:
            return ()

        async def abort(self, *_: object) -> None:
            ending_begun.set()
            await heard.wait()
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
    heard.set()
    with pytest.raises(grpc.aio.AbortError):
        await ending
    with streams.circuits(ADA):
        pass
