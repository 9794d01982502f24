"""RunStream with a client that reads answers when it is let: what is under way meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any
from weakref import WeakSet

from quantcloud.api import context as call
from quantcloud.api.convert.events import LARGE_BYTES
from quantcloud.api.errors import Refusal, refuse
from quantcloud.api.servicers.run_stream import MAX_UNFINISHED, RunStream
from quantcloud.api.servicers.watches import Watches
from quantcloud.auth.principal import Credential, Principal
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import Job, JobEvent, JobResult
from quantcloud.services.admission import Submission
from quantcloud.watching.update import JobUpdate
from thequantcloud.v1 import circuit_pb2
from unit.api.service import ADA, now
from unit.api.test_event_messages import completions, result_of


class Request:
    """As a RunStreamRequest, which cannot be referred to weakly."""

    idempotency_key = ""

    def __init__(self, qasm: str) -> None:
        self.circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        self.ByteSize = self.circuit.ByteSize


class BidiSession:
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

    async def allow(self) -> None:
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

    async def watch(self, _: Any, job_id: str, **_options: Any) -> AsyncGenerator[JobUpdate]:
        (event,) = [event for event in self._events if event.job.id == job_id]
        yield JobUpdate(event.sequence, event)

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
    exchange = BidiSession(*"q" * 100)
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
    exchange = BidiSession(*"q" * (MAX_UNFINISHED + 5))
    jobs = Completed(1, MAX_UNFINISHED + 5)
    jobs.go.clear()
    task = served(jobs, exchange)
    await until_nothing_moves()
    assert exchange.reads == MAX_UNFINISHED
    jobs.go.set()
    exchange.lets.set()
    await task
    assert exchange.reads == MAX_UNFINISHED + 5


async def test_nothing_is_read_while_large_requests_become_jobs():
    exchange = BidiSession("q", "q" * 300_000, "q")
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
    exchange = BidiSession(*"q" * 40)
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
    exchange = BidiSession(*"q" * 10_000)
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


async def test_a_result_that_fills_a_message_has_one_of_its_own():
    exchange = BidiSession(*"q" * 3)
    exchange.lets.set()
    await served(Completed(30_000, 3), exchange)
    assert [len(each.answers) for each in exchange.responses] == [1, 1, 1]
    assert all(len(each.answers[0].event.result.counts) == 30_000 for each in exchange.responses)
