"""RunStream with a client that reads answers only when the test allows it: memory stays bounded."""

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
    """Like a RunStreamRequest, but with support for weak references."""

    idempotency_key = ""

    def __init__(self, qasm: str) -> None:
        self.circuit = circuit_pb2.RunCircuitRequest(qasm=qasm)
        self.ByteSize = self.circuit.ByteSize


class BidiSession:
    """Requests that have all arrived, and a client that reads answers after `may_write` is set."""

    def __init__(self, *circuits: str) -> None:
        self._circuits = list(circuits)
        self.reads = 0
        # The requests that are in memory.
        self.in_memory: WeakSet[Request] = WeakSet()
        self.may_write = asyncio.Event()
        self.responses: list[circuit_pb2.RunStreamResponse] = []

    async def read(self) -> Any:
        if self.reads == len(self._circuits):
            return None
        request = Request(self._circuits[self.reads])
        self.in_memory.add(request)
        self.reads += 1
        return request

    async def write(self, response: bytes) -> None:
        await self.may_write.wait()
        self.responses.append(circuit_pb2.RunStreamResponse.FromString(response))

    async def allow(self) -> None:
        """Allow every request."""

    def refusal(self, error: Any) -> Refusal:
        return refuse(error)


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


def served(jobs: Any, session: Any) -> "asyncio.Task[None]":
    """Return the task of a call by an authenticated caller."""
    call.set_principal(Principal(Account(ADA, Tier.ENTERPRISE, now()), Credential.JWT))
    return asyncio.create_task(RunStream(jobs, jobs, Watches(jobs), session).serve())


async def until_nothing_moves() -> None:
    """Run all tasks until they wait."""
    for _ in range(1000):
        await asyncio.sleep(0)


async def test_answers_that_are_ready_together_come_in_one_message():
    session = BidiSession(*"q" * 100)
    jobs = Completed(1, 100)
    task = served(jobs, session)
    await until_nothing_moves()
    session.may_write.set()
    await task
    answered = [[answer.request for answer in each.answers] for each in session.responses]
    assert sorted(number for numbers in answered for number in numbers) == [*range(1, 101)]
    # The first message was being sent already.
    assert len(answered) == 2


async def test_unfinished_requests_are_limited_and_the_others_unread():
    session = BidiSession(*"q" * (MAX_UNFINISHED + 5))
    jobs = Completed(1, MAX_UNFINISHED + 5)
    jobs.go.clear()
    task = served(jobs, session)
    await until_nothing_moves()
    assert session.reads == MAX_UNFINISHED
    jobs.go.set()
    session.may_write.set()
    await task
    assert session.reads == MAX_UNFINISHED + 5


async def test_nothing_is_read_while_large_requests_are_submitted():
    session = BidiSession("q", "q" * 300_000, "q")
    jobs = Completed(1, 3)
    jobs.go.clear()
    task = served(jobs, session)
    await until_nothing_moves()
    assert (session.reads, jobs.begun) == (2, 2)
    jobs.go.set()
    session.may_write.set()
    await task
    assert session.reads == 3


async def test_a_client_that_does_not_read_holds_few_results_in_memory():
    session = BidiSession(*"q" * 40)
    # About 124 kB each, the largest that are built on the event loop.
    jobs = Completed(1900, 40)
    task = served(jobs, session)
    await until_nothing_moves()
    waiting = jobs.loads
    assert waiting < 12
    session.may_write.set()
    await task
    assert jobs.loads == 40
    sizes = [len(each.SerializeToString()) for each in session.responses]
    assert max(sizes) <= LARGE_BYTES
    assert sum(len(each.answers) for each in session.responses) == 40


async def test_a_client_that_does_not_read_holds_few_refusals_in_memory():
    session = BidiSession(*"q" * 10_000)
    jobs = Completed(1, 1)
    # About 260 bytes each.
    jobs.refuses = True
    task = served(jobs, session)
    await until_nothing_moves()
    assert 1000 < session.reads < 6000
    # Parsed, a request may take many times as much memory as its refusal.
    assert not session.in_memory
    session.may_write.set()
    await task
    errors = [answer.error for each in session.responses for answer in each.answers]
    assert [error.message for error in errors] == ["qasm: is no circuit"] * 10_000


async def test_a_result_that_fills_a_message_comes_alone():
    session = BidiSession(*"q" * 3)
    session.may_write.set()
    await served(Completed(30_000, 3), session)
    assert [len(each.answers) for each in session.responses] == [1, 1, 1]
    assert all(len(each.answers[0].event.result.counts) == 30_000 for each in session.responses)
