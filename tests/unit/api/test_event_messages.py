"""Messages of events and results: their content, and what is read and converted only once."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert import events
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert.events import NO_RESULT, EventMessages, Result
from quantcloud.api.convert.options import options_of
from quantcloud.api.convert.values import timestamp
from quantcloud.api.json_nulls import TWIN_OFFSET
from quantcloud.api.large import LargeMessage, encoded
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus, OptimizationTarget
from quantcloud.watching.account_watch import LARGEST_GROUP
from quantcloud.watching.update import JobUpdate
from thequantcloud.v1 import job_pb2

AT = datetime(2025, 3, 31, 12, tzinfo=UTC)


def event_of(status: JobStatus, cursor: int = 7, result: JobResult | None = None) -> JobEvent:
    job = Job(
        id="j", account_id="ada", status=status, shots=4, submitted_at=AT, changed_at=AT,
        seed=1, optimize_for=OptimizationTarget.BALANCED, metadata={"routing": {"reason": "it is"}},
    )  # fmt: skip
    return JobEvent(3, cursor, AT, job, result)


def result_of(outcomes: int = 2) -> JobResult:
    return JobResult("j", "local_simulator", {f"{n:020b}": 2 for n in range(outcomes)}, 0.5)


class Loads:
    """A store of one result that counts its reads."""

    def __init__(self, result: JobResult | None) -> None:
        self.result = result
        self.times = 0
        self.go = asyncio.Event()
        self.is_small: Callable[[str], bool] = lambda _: True
        self.small: list[str] = []

    async def load(self, event: JobEvent) -> JobResult | None:
        self.times += 1
        await self.go.wait()
        return self.result

    async def load_small(self, events: Sequence[JobEvent]) -> list[JobResult]:
        """Return a result of each job whose result is small."""
        self.times += 1
        self.small = [event.job.id for event in events if self.is_small(event.job.id)]
        return [replace(result_of(), job_id=job_id) for job_id in self.small]

    def messages(self) -> EventMessages:
        return EventMessages(self.load, self.load_small)


def json_nulls(message) -> set[str]:
    names = {field.number: field.name for field in message.DESCRIPTOR.fields}
    return {names[mark.field_number - TWIN_OFFSET] for mark in UnknownFieldSet(message)}


async def read(message: job_pb2.JobEvent) -> job_pb2.JobEvent:
    """Return the message as a client reads it, without the JSON nulls."""
    return known(job_pb2.JobEvent.FromString(await encoded(message)))


def known(message: job_pb2.JobEvent) -> job_pb2.JobEvent:
    copy = job_pb2.JobEvent()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return copy


def result_in(result: Result) -> job_pb2.JobResult:
    data = b"".join(result.parts) if isinstance(result, LargeMessage) else result
    return job_pb2.JobResult.FromString(data)


_MOMENTS = st.datetimes(timezones=st.just(UTC))
_TEXTS = st.sampled_from(["", "a", "\u00e9" * 100, "local_simulator", "x" * 20_000])


@given(
    st.builds(
        Job, id=_TEXTS, account_id=st.just("ada"), status=st.sampled_from(JobStatus),
        shots=st.integers(0, 2**31 - 1), optimize_for=st.sampled_from(OptimizationTarget),
        submitted_at=_MOMENTS, seed=st.integers(0, 2**53 - 1), batch_id=st.none() | _TEXTS,
        name=st.none() | _TEXTS, tags=st.tuples(_TEXTS, _TEXTS) | st.just(()),
        options=st.builds(
            RunOptions, statevector=st.booleans(), timeout_seconds=st.none() | st.just(0.5),
            noise=st.none() | st.just(Noise(readout=0.1)),
        ),
        backend=st.none() | _TEXTS, started_at=st.none() | _MOMENTS,
        completed_at=st.none() | _MOMENTS, error_message=st.none() | _TEXTS,
        metadata=st.sampled_from([{}, {"a": [1, None], "routing": {"candidates": [1], "b": 2}}]),
    ),
    st.integers(1, 2**31 - 1), st.integers(1, 2**63 - 1), _MOMENTS,
)  # fmt: skip
def test_a_job_has_all_its_fields(job: Job, sequence: int, cursor: int, at: datetime):
    metadata = Struct()
    metadata.update(job.metadata)
    message = job_pb2.Job(
        job_id=job.id, status=job.status, backend=job.backend, shots=job.shots,
        optimize_for=job.optimize_for, submitted_at=job.submitted_at, started_at=job.started_at,
        completed_at=job.completed_at, error_message=job.error_message, metadata=metadata,
        batch_id=job.batch_id, options=options_of(job), name=job.name, tags=job.tags,
    )  # fmt: skip
    assert convert.job(job) == message
    if "routing" in message.metadata:
        del message.metadata["routing"]["candidates"]
    whole = job_pb2.JobEvent(sequence=sequence, occurred_at=at, job=message)
    event = JobEvent(sequence, cursor, at, job)
    assert asyncio.run(Loads(None).messages().change(event, None)) == whole


@pytest.mark.parametrize("position", [None, 1, 300])
@pytest.mark.parametrize("outcomes", [2, 3000])
@pytest.mark.parametrize("with_result", [False, True])
async def test_a_message_is_complete(position: int | None, outcomes: int, *, with_result: bool):
    result = result_of(outcomes)
    event = event_of(JobStatus.COMPLETED, result=result)
    loads = Loads(result)
    loads.go.set()
    make = loads.messages()
    found = await make.result(event) if with_result else NO_RESULT
    message = job_pb2.JobEvent.FromString(await encoded(await make.change(event, position, found)))
    nulls = {"error"} | ({"queue_position"} if position is None else set())
    assert json_nulls(message) == nulls | (set() if with_result else {"result"})
    assert "backend" in json_nulls(message.job)
    whole = job_pb2.JobEvent(
        sequence=3, occurred_at=timestamp(AT), job=convert.job(event.job), queue_position=position
    )
    if with_result:
        assert json_nulls(message.result) == {"statevector"}
        whole.result.CopyFrom(convert.small_result(result))
    assert known(message) == whole


@pytest.mark.parametrize("outcomes", [0, 1, 2000, 2001, 5000])
async def test_a_result_is_complete_however_many_outcomes_it_has(outcomes: int):
    result = result_of(outcomes)
    answer = await convert.result(result)
    assert isinstance(answer, LargeMessage) == (outcomes > 2000)
    message = job_pb2.JobResult.FromString(await encoded(answer))
    assert json_nulls(message) == {"statevector"}
    assert dict(message.counts) == result.counts
    assert dict(message.probabilities) == dict.fromkeys(result.counts, 1 / max(1, outcomes))
    assert (message.job_id, message.backend) == ("j", "local_simulator")
    assert message.HasField("metadata")


async def test_a_checkpoint_repeats_the_job_and_has_its_own_time():
    event = event_of(JobStatus.QUEUED)
    later = AT.replace(hour=13)
    seen = JobUpdate(3, checkpoint=True, queue_position=2)
    message = events.checkpoint(seen, later, Loads(None).messages().job(event))
    assert await read(message) == job_pb2.JobEvent(
        sequence=3, occurred_at=timestamp(later), checkpoint=True, queue_position=2,
        job=convert.job(event.job),
    )  # fmt: skip


async def test_watchers_share_the_message_of_an_event():
    make = Loads(None).messages()
    event = event_of(JobStatus.RUNNING)
    first, placed = await make.change(event, None), await make.change(event, 2)
    assert await make.change(replace(event), None) is first
    assert await make.change(replace(event), 2) is placed
    for cursor in range(100, 100 + events._CACHED_MESSAGES):
        await make.change(event_of(JobStatus.RUNNING, cursor), None)
    again = await make.change(event, None)
    assert again is not first
    assert again == first


async def test_an_event_without_a_result_has_none():
    loads = Loads(result_of())
    make = loads.messages()
    assert await make.result(event_of(JobStatus.FAILED)) == NO_RESULT
    assert loads.times == 0
    loads.result = None
    loads.go.set()
    assert await make.result(event_of(JobStatus.COMPLETED)) == NO_RESULT


@pytest.mark.parametrize("outcomes", [2, 3000])
async def test_a_result_is_read_once_for_all_waiting_watches(outcomes: int):
    loads = Loads(result_of(outcomes))
    make = loads.messages()
    event = event_of(JobStatus.COMPLETED)
    waiting = [asyncio.ensure_future(make.result(event)) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    loads.go.set()
    parts = await asyncio.gather(*waiting[1:])
    assert loads.times == 1
    assert not make._loading
    (part,) = set(parts)
    assert len(result_in(part).counts) == outcomes
    # A large result is not cached.
    await make.result(event)
    assert loads.times == (1 if outcomes == 2 else 2)


async def test_a_result_that_comes_with_the_event_is_not_read():
    loads = Loads(None)
    make = loads.messages()
    part = await make.result(event_of(JobStatus.COMPLETED, result=result_of()))
    assert result_in(part).backend == "local_simulator"
    assert loads.times == 0


def completions(number: int) -> list[JobEvent]:
    """Return the completions of `number` jobs, without their results."""
    one = event_of(JobStatus.COMPLETED)
    return [
        replace(one, cursor=cursor, job=replace(one.job, id=f"job {cursor}"))
        for cursor in range(1, number + 1)
    ]


async def test_missing_results_are_read_together():
    loads = Loads(None)
    make = loads.messages()
    group = completions(LARGEST_GROUP)
    group[3] = replace(group[3], result=replace(result_of(), job_id="job 4"))
    await make.fetch([*group, event_of(JobStatus.FAILED, 100)])
    assert loads.times == 1
    assert loads.small == [event.job.id for event in group if event is not group[3]]
    parts = [await make.result(event) for event in group]
    assert loads.times == 1
    results = [result_in(part).job_id for part in parts]
    assert results == [event.job.id for event in group]
    await make.fetch(group)
    assert loads.times == 1


async def test_a_result_that_is_not_read_with_the_others_is_read_alone():
    loads = Loads(result_of(3000))
    loads.go.set()
    make = loads.messages()
    first, second = completions(2)
    loads.is_small = first.job.id.__eq__
    await make.fetch([first, second])
    for event, outcomes in ((first, 2), (second, 3000)):
        assert len(result_in(await make.result(event)).counts) == outcomes
    assert loads.times == 2
