"""RunStream with a client that reads answers only when the test allows it: memory stays bounded."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast
from weakref import WeakSet

from quantcloud.api.context import Context, current
from quantcloud.api.errors import Refusal, refuse
from quantcloud.api.large import LARGE_BYTES, encoded
from quantcloud.api.servicers.circuits import CircuitServicer
from quantcloud.api.servicers.runs import MAX_UNFINISHED
from quantcloud.api.servicers.watches import Watches
from quantcloud.api.session import Session
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
    """Like a RunStreamRequest, but with support for weak references."""

    idempotency_key = ""

    def __init__(self, qasm: str) -> None:
        self.circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        self.ByteSize = self.circuit.ByteSize


class Client(Session):
    """The client of a client whose requests have all arrived. It reads answers after `may_read` is
    set.
    """

    def __init__(self, *circuits: str) -> None:
        self.principal = Principal(Account(ADA, Tier.ENTERPRISE, now()), Credential.JWT)
        self._circuits = list(circuits)
        self.reads = 0
        # The requests that are in memory.
        self.in_memory: WeakSet[Request] = WeakSet()
        self.may_read = asyncio.Event()
        self.responses: list[circuit_pb2.RunStreamResponse] = []

    def __aiter__(self) -> "Client":
        return self

    async def __anext__(self) -> Any:
        if self.reads == len(self._circuits):
            raise StopAsyncIteration
        request = Request(self._circuits[self.reads])
        self.in_memory.add(request)
        self.reads += 1
        return request

    async def allow(self) -> None:
        """Allow every request."""

    def refusal(self, error: Any) -> Refusal:
        return refuse(error)

    async def call(self, jobs: Any) -> None:
        """Call RunStream and read its answers."""
        current.set(self)
        requests: Any = self
        servicer, context = CircuitServicer(jobs, jobs, jobs, Watches(jobs)), None
        async for response in servicer.RunStream(requests, cast("Context", context)):
            await self.may_read.wait()
            data = await encoded(response)
            self.responses.append(circuit_pb2.RunStreamResponse.FromString(data))


class Completed:
    """Circuits whose jobs have ended, with results of `outcomes` outcomes."""

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

    async def checkpoints(self) -> AsyncGenerator[None]:
        await asyncio.Event().wait()
        yield


def served(jobs: Completed, client: Client) -> "asyncio.Task[None]":
    """Return the task of a call."""
    return asyncio.create_task(client.call(jobs))


async def until_nothing_moves() -> None:
    """Run all tasks until they wait."""
    for _ in range(1000):
        await asyncio.sleep(0)


async def test_answers_that_are_ready_together_come_in_one_message():
    client = Client(*"q" * 100)
    jobs = Completed(1, 100)
    task = served(jobs, client)
    await until_nothing_moves()
    client.may_read.set()
    await task
    answered = [[answer.request for answer in each.answers] for each in client.responses]
    assert sorted(number for numbers in answered for number in numbers) == [*range(1, 101)]
    # The first message was being sent already.
    assert len(answered) == 2


async def test_unfinished_requests_are_limited_and_the_others_unread():
    client = Client(*"q" * (MAX_UNFINISHED + 5))
    jobs = Completed(1, MAX_UNFINISHED + 5)
    jobs.go.clear()
    task = served(jobs, client)
    await until_nothing_moves()
    assert client.reads == MAX_UNFINISHED
    jobs.go.set()
    client.may_read.set()
    await task
    assert client.reads == MAX_UNFINISHED + 5


async def test_nothing_is_read_while_large_requests_are_submitted():
    client = Client("q", "q" * 300_000, "q")
    jobs = Completed(1, 3)
    jobs.go.clear()
    task = served(jobs, client)
    await until_nothing_moves()
    assert (client.reads, jobs.begun) == (2, 2)
    jobs.go.set()
    client.may_read.set()
    await task
    assert client.reads == 3


async def test_a_client_that_does_not_read_holds_few_results_in_memory():
    client = Client(*"q" * 40)
    # About 124 kB each, the largest that are built on the event loop.
    jobs = Completed(1900, 40)
    task = served(jobs, client)
    await until_nothing_moves()
    waiting = jobs.loads
    assert waiting < 12
    client.may_read.set()
    await task
    assert jobs.loads == 40
    sizes = [len(each.SerializeToString()) for each in client.responses]
    assert max(sizes) <= LARGE_BYTES
    assert sum(len(each.answers) for each in client.responses) == 40


async def test_a_client_that_does_not_read_holds_few_refusals_in_memory():
    client = Client(*"q" * 10_000)
    jobs = Completed(1, 1)
    # About 260 bytes each.
    jobs.refuses = True
    task = served(jobs, client)
    await until_nothing_moves()
    assert 1000 < client.reads < 6000
    # Parsed, a request may take many times as much memory as its refusal.
    assert not client.in_memory
    client.may_read.set()
    await task
    errors = [answer.error for each in client.responses for answer in each.answers]
    assert [error.message for error in errors] == ["qasm: is no circuit"] * 10_000


async def test_a_result_that_fills_a_message_comes_alone():
    client = Client(*"q" * 3)
    client.may_read.set()
    await served(Completed(30_000, 3), client)
    assert [len(each.answers) for each in client.responses] == [1, 1, 1]
    assert all(len(each.answers[0].event.result.counts) == 30_000 for each in client.responses)
