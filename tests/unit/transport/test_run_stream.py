"""RunStream on a real gRPC server, whose jobs change when a test says so."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any
from weakref import WeakSet

import grpc
import grpc.aio
import pytest
import structlog

from quantcloud.auth import api_keys
from quantcloud.auth.open_streams import OpenStreams
from quantcloud.auth.principal import Credential, Principal
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.errors import InvalidArgument, TooManyStreams
from quantcloud.domain.job import Job, JobEvent, JobResult
from quantcloud.services.admission import Submission
from quantcloud.transport import call
from quantcloud.transport import entry as entries
from quantcloud.transport.convert.events import LARGE_BYTES
from quantcloud.transport.errors import Refusal, refuse
from quantcloud.transport.interceptor import CallInterceptor
from quantcloud.transport.servicers.run_stream import UNDER_WAY, RunStream
from quantcloud.transport.servicers.watches import Watches
from quantcloud.watching.sighting import Sighting
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2
from unit.transport.service import ADA, MOST, Service, Start, now
from unit.transport.test_event_messages import completions, result_of

SECRET_TEXT = "the password is hunter2"
BREAKS = "breaks"


class Circuits:
    """Makes a job of whatever comes, for `service`, unless the circuit's text says otherwise."""

    def __init__(self) -> None:
        self.service: Service
        self.callers: list[Principal] = []

    async def run(self, principal: Principal, submission: Submission, key: object) -> Job:
        self.callers.append(principal)
        if submission.qasm == BREAKS:
            raise RuntimeError(SECRET_TEXT)
        (job_id,) = await self.service.submit()
        return await self.service.store.jobs.get(ADA, job_id)


class Call:
    """One call of RunStream."""

    def __init__(self, service: Service, channel: grpc.aio.Channel, metadata: Any = None) -> None:
        stub = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.rpc: Any = stub.RunStream(metadata=metadata or service.metadata)

    async def send(self, qasm: str = "q") -> None:
        circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        await self.rpc.write(circuit_pb2.RunStreamRequest(circuit=circuit))

    async def answers(self) -> AsyncIterator[circuit_pb2.RunStreamAnswer]:
        async for response in self.rpc:
            for answer in response.answers:
                yield answer


Open = Callable[..., Any]


@pytest.fixture
def opened(start: Start) -> Open:
    """Starts a service, and opens a call of it."""

    @asynccontextmanager
    async def running(**settings: float) -> AsyncGenerator[tuple[Circuits, Call, Any]]:
        circuits = Circuits()
        async with start(circuits=circuits, **settings) as (service, port):
            circuits.service = service
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield circuits, Call(service, channel), channel

    return running


async def test_what_nobody_foresaw_is_told_of_its_request_alone(opened: Open):
    async with opened() as (_, stream, _):
        with structlog.testing.capture_logs() as lines:
            await stream.send(BREAKS)
            await stream.send()
            told = {}
            async for answer in stream.answers():
                told[answer.request] = answer
                if len(told) == 2:
                    break
        error = told[1].error
        assert error.code == grpc.StatusCode.INTERNAL.value[0]
        assert error.message.startswith("internal error; request id ")
        assert SECRET_TEXT not in str(error)
        assert told[2].event.job.status == job_pb2.Job.routing
        (line,) = [line for line in lines if line["event"] == "unforeseen exception"]
        assert str(line["exc_info"]) == SECRET_TEXT


async def test_each_request_goes_by_the_account_as_it_is_by_then(opened: Open):
    async with opened(recheck_seconds=0.0) as (circuits, stream, _):
        answers = stream.answers()
        await stream.send()
        await anext(answers)
        await circuits.service.store.accounts.set_tier(ADA, Tier.EXPLORER)
        await stream.send()
        while (await anext(answers)).request != 2:
            pass
        tiers = [caller.account.tier for caller in circuits.callers]
        assert tiers == [Tier.ENTERPRISE, Tier.EXPLORER]


async def test_a_key_that_is_revoked_ends_the_stream(opened: Open):
    async with opened(recheck_seconds=0.0) as (circuits, _, channel):
        service = circuits.service
        text = api_keys.generate()
        key = await service.store.api_keys.create(
            ADA, "k", api_keys.shown_prefix(text), api_keys.digest(text), now(), limit=9
        )
        stream = Call(service, channel, (("x-api-key", text),))
        answers = stream.answers()
        await stream.send()
        await anext(answers)
        await service.store.api_keys.revoke(ADA, key.id, now())
        await stream.send()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            async for _ in answers:
                pass
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert len(circuits.callers) == 1


async def test_an_account_has_so_many_streams_open_and_each_that_ends_makes_room(opened: Open):
    async with opened() as (circuits, first, channel):
        for each in (first, *(Call(circuits.service, channel) for _ in range(MOST - 1))):
            await each.rpc.initial_metadata()
        refused = Call(circuits.service, channel)
        assert await refused.rpc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await refused.rpc.details() == (
            f"too many streams of circuits of this account: {MOST} may be open at once; close some"
        )
        await first.rpc.done_writing()
        assert await first.rpc.code() is grpc.StatusCode.OK
        again = Call(circuits.service, channel)
        await again.rpc.done_writing()
        assert await again.rpc.code() is grpc.StatusCode.OK


class Request:
    """As a RunStreamRequest, which cannot be referred to weakly."""

    idempotency_key = ""

    def __init__(self, qasm: str) -> None:
        self.circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        self.ByteSize = self.circuit.ByteSize


class Exchange:
    """Requests that are all there, and a client that reads answers when it is let."""

    def __init__(self, *circuits: str) -> None:
        self._circuits = list(circuits)
        self.reads = 0
        # Those that are in memory.
        self.kept: WeakSet[Request] = WeakSet()
        self.lets = asyncio.Event()
        self.responses: list[circuit_pb2.RunStreamResponse] = []

    async def read(self) -> Any:
        if self.reads == len(self._circuits):
            return None
        request = Request(self._circuits[self.reads])
        self.kept.add(request)
        self.reads += 1
        return request

    async def write(self, response: bytes) -> None:
        await self.lets.wait()
        self.responses.append(circuit_pb2.RunStreamResponse.FromString(response))

    async def count(self) -> None:
        """Every request is allowed."""

    def refusal(self, error: Any) -> Refusal:
        return refuse(error)


class Completed:
    """Circuits whose jobs have all ended, with results of so many outcomes."""

    def __init__(self, outcomes: int, number: int) -> None:
        self._outcomes = outcomes
        self._events = completions(number)
        self.loads = 0
        self.go = asyncio.Event()
        self.go.set()
        self.begun = 0
        self.refuses = False

    async def run(self, _principal: Any, _submission: Submission, _key: object) -> Job:
        if self.refuses:
            raise InvalidArgument("qasm", "is no circuit")
        event = self._events[self.begun]
        self.begun += 1
        await self.go.wait()
        return event.job

    async def watch(self, _: Any, job_id: str, **_options: Any) -> AsyncGenerator[Sighting]:
        (event,) = [event for event in self._events if event.job.id == job_id]
        yield Sighting(event.sequence, event.cursor, event)

    async def result_of(self, event: JobEvent) -> JobResult:
        self.loads += 1
        return result_of(self._outcomes)

    async def small_results_of(self, _: object) -> Sequence[JobResult]:
        return ()

    async def beats(self) -> AsyncGenerator[None]:
        await asyncio.Event().wait()
        yield


def served(jobs: Any, exchange: Any) -> "asyncio.Task[None]":
    """A call that is served, of a caller who came in."""
    call.set_principal(Principal(Account(ADA, Tier.ENTERPRISE, now()), Credential.JWT))
    return asyncio.create_task(RunStream(jobs, jobs, Watches(jobs), exchange).serve())


async def until_nothing_moves() -> None:
    """Let everything happen that waits for nobody."""
    for _ in range(1000):
        await asyncio.sleep(0)


async def test_what_is_ready_at_the_same_time_comes_in_one_message():
    exchange = Exchange(*"q" * 100)
    jobs = Completed(1, 100)
    task = served(jobs, exchange)
    await until_nothing_moves()
    exchange.lets.set()
    await task
    told = [[answer.request for answer in each.answers] for each in exchange.responses]
    assert sorted(number for numbers in told for number in numbers) == [*range(1, 101)]
    # The first was on its way already.
    assert len(told) == 2


async def test_so_many_are_under_way_and_the_others_unread():
    exchange = Exchange(*"q" * (UNDER_WAY + 5))
    jobs = Completed(1, UNDER_WAY + 5)
    jobs.go.clear()
    task = served(jobs, exchange)
    await until_nothing_moves()
    assert exchange.reads == UNDER_WAY
    jobs.go.set()
    exchange.lets.set()
    await task
    assert exchange.reads == UNDER_WAY + 5


async def test_nothing_is_read_while_large_requests_become_jobs():
    exchange = Exchange("q", "q" * 300_000, "q")
    jobs = Completed(1, 3)
    jobs.go.clear()
    task = served(jobs, exchange)
    await until_nothing_moves()
    assert (exchange.reads, jobs.begun) == (2, 2)
    jobs.go.set()
    exchange.lets.set()
    await task
    assert exchange.reads == 3


async def test_a_client_that_does_not_read_has_few_results_on_their_way():
    exchange = Exchange(*"q" * 40)
    # Some 124 kB each, the most that are made on the event loop.
    jobs = Completed(1900, 40)
    task = served(jobs, exchange)
    await until_nothing_moves()
    waiting = jobs.loads
    assert waiting < 12
    exchange.lets.set()
    await task
    assert jobs.loads == 40
    sizes = [len(each.SerializeToString()) for each in exchange.responses]
    assert max(sizes) <= LARGE_BYTES
    assert sum(len(each.answers) for each in exchange.responses) == 40


async def test_a_client_that_does_not_read_has_few_refusals_on_their_way():
    exchange = Exchange(*"q" * 10_000)
    jobs = Completed(1, 1)
    # Some 260 bytes each.
    jobs.refuses = True
    task = served(jobs, exchange)
    await until_nothing_moves()
    assert 1000 < exchange.reads < 6000
    # Parsed, a request may take many times as much memory as its refusal.
    assert not exchange.kept
    exchange.lets.set()
    await task
    errors = [answer.error for each in exchange.responses for answer in each.answers]
    assert [error.message for error in errors] == ["qasm: is no circuit"] * 10_000


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
    heard = asyncio.Event()

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
            await heard.wait()
            raise grpc.aio.AbortError

    async def breaks(*_: object) -> None:
        raise InvalidArgument("request", "cannot be read")

    gate: Any = Gate()
    context: Any = Context()
    answer = CallInterceptor(gate)._exchange("/path", bytes, breaks)
    ending = asyncio.create_task(answer(None, context))
    await until_nothing_moves()
    with pytest.raises(TooManyStreams), streams.circuits(ADA):
        pass
    heard.set()
    with pytest.raises(grpc.aio.AbortError):
        await ending
    with streams.circuits(ADA):
        pass


async def test_a_result_that_fills_a_message_has_one_of_its_own():
    exchange = Exchange(*"q" * 3)
    exchange.lets.set()
    await served(Completed(30_000, 3), exchange)
    assert [len(each.answers) for each in exchange.responses] == [1, 1, 1]
    assert all(len(each.answers[0].event.result.counts) == 30_000 for each in exchange.responses)
