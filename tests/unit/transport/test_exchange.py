"""A call with many requests, as the interceptor keeps it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.auth.open_streams import OpenStreams
from quantcloud.domain.errors import InvalidArgument, TooManyStreams
from quantcloud.transport import entry as entries
from quantcloud.transport.interceptor import CallInterceptor
from unit.transport.service import ADA


async def test_the_account_is_looked_at_for_requests_however_often_it_is_for_answers(monkeypatch):
    seconds = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: seconds)
    told: list[str] = []

    class Gate:
        async def renew(self, _context: object) -> None:
            told.append("renew")

        async def recheck(self, _context: object) -> None:
            told.append("recheck")

    class Context:
        async def read(self) -> bytes:
            return b"request"

        async def write(self, _message: bytes) -> None:
            """Nobody reads."""

    parts: Any = Context(), Gate()
    entry = entries.Exchange("/path", *parts, 10.0, bytes)
    for seconds in (5.0, 11.0, 12.0, 21.0, 22.0, 23.0):
        if seconds != 12.0:
            await entry.write(b"")
        await entry.read()
    # An answer at 11 and at 22 s, and a request at 11 and at 21 s: 10 s after the last each.
    assert told == ["recheck", "renew", "recheck", "renew"]


async def test_a_stream_counts_until_its_client_has_heard_of_its_end():
    streams = OpenStreams(1, of_circuits=1)
    ending_begun, heard = asyncio.Event(), asyncio.Event()

    class Gate:
        def stream_of_circuits(self) -> AbstractContextManager[None]:
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

    gate: Any = Gate()
    context: Any = Context()
    answer = CallInterceptor(gate)._exchange("/path", bytes, breaks)
    ending = asyncio.create_task(answer(None, context))
    await ending_begun.wait()
    with pytest.raises(TooManyStreams), streams.circuits(ADA):
        pass
    heard.set()
    with pytest.raises(grpc.aio.AbortError):
        await ending
    with streams.circuits(ADA):
        pass
