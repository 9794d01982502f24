"""The messages of a watch of all jobs: which events they group."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.aio import offload
from quantcloud.api.convert import jobs as convert
from quantcloud.api.handlers import CallHandlers
from quantcloud.api.large import LARGE_BYTES, encoded
from quantcloud.api.servicers.watches import Watches
from quantcloud.auth.limits.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import Unauthenticated, Unavailable
from quantcloud.domain.job import JobEvent, JobResult
from quantcloud.watching.update import AccountUpdate, PlacedEvent
from thequantcloud.v1 import job_pb2
from unit.api.test_event_messages import completions, result_of


def update_of(events: Sequence[PlacedEvent]) -> AccountUpdate:
    return AccountUpdate(events[-1].event.cursor, events)


class Jobs:
    """Results with the given numbers of outcomes, by the cursor of their event.

    Reading a result that is not small waits for `go`. `reads` lists results read one by one, and
    `fetches` lists results read together.
    """

    def __init__(self, outcomes: Sequence[int]) -> None:
        self.outcomes = outcomes
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()
        self.error: Exception | None = None
        self.reads: list[int] = []
        self.fetches: list[list[int]] = []

    async def result_of(self, event: JobEvent) -> JobResult:
        self.reads.append(event.cursor)
        self.begun.set()
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return result_of(self.outcomes[event.cursor - 1])

    async def small_results_of(self, events: Sequence[JobEvent]) -> list[JobResult]:
        self.fetches.append([event.cursor for event in events])
        await asyncio.sleep(0)
        return [
            JobResult(event.job.id, "local_simulator", {"0": 1}, 0.5)
            for event in events
            if self.outcomes[event.cursor - 1] == 1
        ]

    def cursor(self, position: int) -> str:
        return str(position)

    def watches(self) -> tuple[Watches, AccountUpdate]:
        """Return the watches, and all completions as one update."""
        jobs: Any = self
        completed = [PlacedEvent(event) for event in completions(len(self.outcomes))]
        return Watches(jobs), update_of(completed)


def place(event: job_pb2.JobEvent) -> int:
    """Return the number of the completion, which is its cursor."""
    return int(event.job.job_id.removeprefix("job "))


class Sent:
    """The events that were sent, one list per message."""

    def __init__(self) -> None:
        self.messages: list[list[job_pb2.JobEvent]] = []

    async def send(self, watches: Watches, update: AccountUpdate) -> None:
        """Send the messages of an update of a watch with results."""
        async for response in watches.responses(update, with_result=True):
            await self.write(await encoded(response))

    async def write(self, message: bytes) -> None:
        response = job_pb2.WatchJobsResponse.FromString(message)
        self.messages.append([*response.events])
        assert int(response.cursor) == place(response.events[-1])
        assert len(message) < LARGE_BYTES + 1024 or len(response.events) == 1

    @property
    def places(self) -> list[list[int]]:
        return [[*map(place, message)] for message in self.messages]


# A thousand outcomes take about 65 KB.
@pytest.mark.parametrize(
    ("outcomes", "together"),
    [
        ([1] * 64, [64]),
        ([1, 30_000, 1, 1], [1, 1, 2]),
        ([30_000, 1], [1, 1]),
        ([1, 1, 30_000], [2, 1]),
        # Events after a result that took time are in its message if they fit.
        ([1, 4000, 1, 1, 4000], [1, 3, 1]),
    ],
)
async def test_a_message_has_the_results_that_are_available_and_fit(
    outcomes: list[int], together: list[int]
):
    jobs, sent = Jobs(outcomes), Sent()
    watches, group = jobs.watches()
    await sent.send(watches, group)
    assert [len(message) for message in sent.messages] == together
    events = [event for message in sent.messages for event in message]
    assert [place(event) for event in events] == [*range(1, len(outcomes) + 1)]
    assert [len(event.result.counts) for event in events] == outcomes
    # Small results are read together, and only the others alone.
    assert jobs.fetches == [[*range(1, len(outcomes) + 1)]]
    assert jobs.reads == [place for place, number in enumerate(outcomes, 1) if number > 1]


async def test_available_results_come_in_several_messages_if_they_do_not_fit():
    # Results that were sent alone are cached, so they are available the next time.
    jobs = Jobs([800] * 40)
    assert convert.conversion_cost(result_of(800)) <= offload.BUDGET
    watches, group = jobs.watches()
    await Sent().send(watches, group)
    sent = Sent()
    await sent.send(watches, group)
    assert [len(message) for message in sent.messages] == [22, 18]
    assert len(jobs.reads) == 40


@pytest.mark.parametrize("error", [None, Unavailable("the database is away")])
async def test_ready_events_do_not_wait_for_others(error: Exception | None):
    jobs, sent = Jobs([*[1] * 39, 4000, *[1] * 24]), Sent()
    jobs.go.clear()
    jobs.error = error
    watches, group = jobs.watches()
    sending = asyncio.ensure_future(sent.send(watches, group))
    await jobs.begun.wait()
    assert sent.places == [[*range(1, 40)]]
    jobs.go.set()
    if error is None:
        await sending
        assert sent.places == [[*range(1, 40)], [*range(40, 65)]]
        return
    with pytest.raises(Unavailable):
        await sending
    assert sent.places == [[*range(1, 40)]]


async def test_results_read_together_are_read_once_for_all_watches():
    jobs = Jobs([1] * 64)
    watches, group = jobs.watches()
    all_sent = [Sent() for _ in range(20)]
    sending = [asyncio.ensure_future(each.send(watches, group)) for each in all_sent]
    await asyncio.sleep(0)
    sending[0].cancel()
    await asyncio.gather(*sending[1:])
    assert len(jobs.fetches) == 1
    assert not jobs.reads
    for sent in all_sent[1:]:
        assert sent.places == [[*range(1, 65)]]


async def test_groups_of_several_accounts_stay_complete():
    """The number of results that others fetch meanwhile does not matter."""
    jobs = Jobs([1] * 64 * 6)
    watches, everything = jobs.watches()
    placed = everything.events
    groups = [placed[first : first + 64] for first in range(0, len(placed), 64)]
    all_sent = [Sent() for _ in groups]
    await asyncio.gather(
        *[
            sent.send(watches, update_of(group))
            for group, sent in zip(groups, all_sent, strict=True)
        ]
    )
    assert [len(sent.messages) for sent in all_sent] == [1] * 6
    assert [len(fetch) for fetch in jobs.fetches] == [64] * 6
    assert not jobs.reads


class _Access:
    """Lets a caller pass `times` checks."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.arriving = ConcurrencyLimits(9, "requests")

    def owner(self, caller: object) -> str:
        return "ada"

    async def admit(self, *_: object) -> None: ...

    async def take_turn(self, caller: object, request: object) -> None: ...

    def count_stream(self, path: str, caller: object) -> Callable[[object], None]:
        return lambda _: None

    async def recheck(self, caller: object) -> None:
        if not self.times:
            raise Unauthenticated("the token has expired")
        self.times -= 1


class _Context(Sent):
    """The part of a call's context that a watch uses."""

    ended: grpc.StatusCode | None = None

    async def read(self) -> bytes:
        return b""

    def invocation_metadata(self) -> tuple[()]:
        return ()

    def set_trailing_metadata(self, metadata: object) -> None: ...

    async def abort(self, code: grpc.StatusCode, *_: object) -> None:
        self.ended = code
        raise grpc.aio.AbortError


def _wrapped(access: Any, behaviour: Callable[..., Any]) -> Any:
    handler = grpc.unary_stream_rpc_method_handler(
        behaviour, request_deserializer=job_pb2.WatchJobsRequest.FromString
    )

    details: Any = type("Details", (), {"method": "/thequantcloud.v1.JobService/WatchJobs"})()
    handlers = CallHandlers(access, recheck_seconds=0.0)
    handlers.add_registered_method_handlers("thequantcloud.v1.JobService", {"WatchJobs": handler})
    return handlers.service(details)


async def test_the_caller_is_checked_again_between_the_messages_of_a_group():
    watches, group = Jobs([30_000] * 12).watches()

    async def answers(_request: object, _context: object) -> AsyncIterator[Any]:
        async for response in watches.responses(group, with_result=True):
            yield response

    context = _Context()
    wrapped = _wrapped(_Access(times=3), answers)
    with pytest.raises(grpc.aio.AbortError):
        await wrapped.stream_stream(None, context)
    assert context.places == [[1], [2], [3]]
    assert context.ended is grpc.StatusCode.UNAUTHENTICATED


async def test_many_watchers_of_one_message_share_its_bytes():
    event = job_pb2.WatchJobsResponse(cursor="1")
    event.events.add().job.job_id = "job 1"

    async def answers(_request: object, _context: object) -> AsyncIterator[Any]:
        yield event

    written: list[bytes] = []

    class Context(_Context):
        async def write(self, message: bytes) -> None:
            written.append(message)

    wrapped = _wrapped(_Access(times=3), answers)
    for _ in range(3):
        await wrapped.stream_stream(None, Context())
    assert written[0] is written[1] is written[2]
