"""The session of a call with many requests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.aio.deadlines import Deadlines
from quantcloud.api.calls import BidiStream
from quantcloud.api.session import Rules, Session
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.domain.errors import InvalidArgument, TooManyStreams
from unit.api.service import ADA


def rules(access: Any) -> Rules:
    return Rules(access, Deadlines(10.0), recheck_seconds=10.0)


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

    async def count(self, _caller: object, _principal: object) -> None:
        self.counted += 1


async def test_concurrent_requests_share_an_authentication_that_began_after_them():
    gate = Checks()
    no_context: Any = None
    session = Session("/path", no_context, rules(gate))

    async def request() -> object:
        await session.allow()
        return session.principal

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
        def count_stream(self, *_: object) -> Callable[[object], None]:
            held = ExitStack()
            held.enter_context(streams.circuits.taken(ADA))
            return lambda _: held.close()

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

    async def breaks(*_: object) -> AsyncIterator[Any]:
        raise InvalidArgument("request", "cannot be read")
        yield

    context: Any = Context()
    parse: Any = bytes
    call = BidiStream("/path", rules(AccessControl()), parse, breaks)
    ending = asyncio.create_task(call.answer(None, context))
    await ending_begun.wait()
    with pytest.raises(TooManyStreams), streams.circuits.taken(ADA):
        pass
    received.set()
    with pytest.raises(grpc.aio.AbortError):
        await ending
    with streams.circuits.taken(ADA):
        pass
