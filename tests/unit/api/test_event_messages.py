"""Events as bytes: messages built from parts equal protobuf's, including JSON nulls."""

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
from quantcloud.api.convert.events import EventMessages
from quantcloud.api.convert.values import timestamp
from quantcloud.api.json_nulls import TWIN_OFFSET, add_json_nulls
from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus, OptimizationTarget
from quantcloud.watching.account_watch import LARGEST_GROUP
from quantcloud.watching.update import JobUpdate
from thequantcloud.v1 import job_pb2

AT = datetime(2025, 3, 31, 12, tzinfo=UTC)


def event_of(status: JobStatus, cursor: int = 7, result: JobResult | None = None) -> JobEvent:
    job = Job(
        id="j", account_id="ada", status=status, shots=4, submitted_at=AT, seed=1,
        optimize_for=OptimizationTarget.BALANCED, metadata={"routing": {"reason": "it is"}},
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


def same(data: bytes, message: job_pb2.JobEvent) -> bool:
    """Whether `data` equals `message`, including which fields are null."""
    add_json_nulls(message)
    read = job_pb2.JobEvent.FromString(data)
    written = job_pb2.JobEvent.FromString(message.SerializeToString())
    for each in (read, read.job, read.result, written, written.job, written.result):
        assert len(list(UnknownFieldSet(each))) == len(json_nulls(each))
    return (
        json_nulls(read) == json_nulls(written)
        and json_nulls(read.job) == json_nulls(written.job)
        and json_nulls(read.result) == json_nulls(written.result)
        and _known(read) == _known(written)
    )


def _known(message: job_pb2.JobEvent) -> job_pb2.JobEvent:
    copy = job_pb2.JobEvent()
    copy.CopyFrom(message)
    copy.DiscardUnknownFields()
    return copy


_MOMENTS = st.datetimes(timezones=st.just(UTC))
_TEXTS = st.sampled_from(["", "a", "\u00e9" * 100, "local_simulator", "x" * 20_000])


@given(
    st.builds(
        Job, id=_TEXTS, account_id=st.just("ada"), status=st.sampled_from(JobStatus),
        shots=st.integers(0, 2**31 - 1), optimize_for=st.sampled_from(OptimizationTarget),
        submitted_at=_MOMENTS, seed=st.just(1), batch_id=st.none() | _TEXTS,
        backend=st.none() | _TEXTS, started_at=st.none() | _MOMENTS,
        completed_at=st.none() | _MOMENTS, error_message=st.none() | _TEXTS,
        metadata=st.sampled_from([{}, {"routing": {"candidates": [1, None]}}]),
    ),
    st.integers(1, 2**31 - 1), st.integers(1, 2**63 - 1), _MOMENTS,
)  # fmt: skip
def test_an_event_equals_protobufs_own_encoding(job: Job, sequence: int, cursor: int, at: datetime):
    metadata = Struct()
    metadata.update(job.metadata)
    message = job_pb2.Job(
        job_id=job.id, status=job.status, backend=job.backend, shots=job.shots,
        optimize_for=job.optimize_for, submitted_at=job.submitted_at, started_at=job.started_at,
        completed_at=job.completed_at, error_message=job.error_message, metadata=metadata,
        batch_id=job.batch_id,
    )  # fmt: skip
    whole = job_pb2.JobEvent(sequence=sequence, occurred_at=at, job=message)
    parts = Loads(None).messages().parts(JobEvent(sequence, cursor, at, job))
    assert convert.job(job) == message
    assert same(b"".join(events.change(parts, None)), whole)


@pytest.mark.parametrize("position", [None, 1, 300])
@pytest.mark.parametrize("with_result", [False, True])
async def test_a_message_built_from_parts_is_complete(position: int | None, *, with_result: bool):
    event = event_of(JobStatus.COMPLETED, result=result_of())
    make = Loads(None).messages()
    result = await make.result(event) if with_result else events.NO_RESULT
    content = job_pb2.JobResult.FromString(convert.result(result_of()))
    content.DiscardUnknownFields()
    whole = job_pb2.JobEvent(
        sequence=3, occurred_at=timestamp(AT), job=convert.job(event.job),
        queue_position=position, result=content if with_result else None,
    )  # fmt: skip
    assert same(b"".join(events.change(make.parts(event), position, result)), whole)


@pytest.mark.parametrize("outcomes", [0, 1, 2000, 2001, 5000])
def test_a_result_in_many_parts_is_complete(outcomes: int):
    result = result_of(outcomes)
    message = job_pb2.JobResult.FromString(convert.result(result))
    assert json_nulls(message) == {"statevector"}
    assert dict(message.counts) == result.counts
    assert dict(message.probabilities) == dict.fromkeys(result.counts, 1 / max(1, outcomes))
    assert (message.job_id, message.backend) == ("j", "local_simulator")
    assert message.HasField("metadata")


def test_a_checkpoint_repeats_the_job_and_has_its_own_time():
    event = event_of(JobStatus.QUEUED)
    later = AT.replace(hour=13)
    seen = JobUpdate(3, checkpoint=True, queue_position=2)
    job = Loads(None).messages().parts(event).job
    whole = job_pb2.JobEvent(
        sequence=3, occurred_at=timestamp(later), checkpoint=True, queue_position=2,
        job=convert.job(event.job),
    )  # fmt: skip
    assert same(events.checkpoint(seen, later, job), whole)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_response_has_its_events_and_a_cursor_first(number: int):
    make = Loads(None).messages()
    parts = [events.change(make.parts(event), 2) for event in completions(number)]
    data = events.response("c", parts)
    assert data.startswith(job_pb2.WatchJobsResponse(cursor="c").SerializeToString())
    read = job_pb2.WatchJobsResponse.FromString(data)
    assert json_nulls(read) == {"error"}
    for event, part in zip(read.events, parts, strict=True):
        assert event == job_pb2.JobEvent.FromString(b"".join(part))
    assert (read.cursor, read.checkpoint) == ("c", number == 0)


def test_an_event_is_serialised_once():
    make = Loads(None).messages()
    first = make.parts(event_of(JobStatus.RUNNING))
    assert make.parts(replace(event_of(JobStatus.RUNNING))) is first
    for cursor in range(100, 100 + events._CACHED_EVENTS):
        make.parts(event_of(JobStatus.RUNNING, cursor))
    assert make.parts(event_of(JobStatus.RUNNING)) is not first
    assert len(make._events._parts) == events._CACHED_EVENTS


async def test_an_event_without_a_result_has_none():
    loads = Loads(result_of())
    make = loads.messages()
    assert await make.result(event_of(JobStatus.FAILED)) == events.NO_RESULT
    assert loads.times == 0
    loads.result = None
    loads.go.set()
    assert await make.result(event_of(JobStatus.COMPLETED)) == events.NO_RESULT


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
    message = job_pb2.JobEvent.FromString(part)
    assert len(message.result.counts) == outcomes
    # A large result is not cached.
    await make.result(event)
    assert loads.times == (1 if outcomes == 2 else 2)


async def test_a_result_that_comes_with_the_event_is_not_read():
    loads = Loads(None)
    make = loads.messages()
    part = await make.result(event_of(JobStatus.COMPLETED, result=result_of()))
    assert job_pb2.JobEvent.FromString(part).result.backend == "local_simulator"
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
    results = [job_pb2.JobEvent.FromString(part).result.job_id for part in parts]
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
        message = job_pb2.JobEvent.FromString(await make.result(event))
        assert len(message.result.counts) == outcomes
    assert loads.times == 2
