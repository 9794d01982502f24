"""The public SDK polls a job every two seconds; the explorer tier allows 30 requests a minute."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest

from quantcloud.auth.limits.rate_limits import Counter, RateAllowance
from quantcloud.auth.limits.turns import Turns
from quantcloud.domain.account import Tier
from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.api.service import ADA, MOST, Service, Start, now

LIMIT = 30
START = 1_000_000_000
PATIENCE_SECONDS = 5


class Time:
    """The time of the limits, which passes only when a test lets it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        # Until when a request waits, and the future that ends its wait.
        self.sleepers: asyncio.Queue[tuple[float, asyncio.Future[None]]] = asyncio.Queue()
        # One for each request that began to wait.
        self.waiting: asyncio.Queue[None] = asyncio.Queue()

    def date(self) -> datetime:
        return datetime.fromtimestamp(START + self.seconds, UTC)

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        self.sleepers.put_nowait((self.seconds + seconds, done))
        await done

    async def until(self, task: "asyncio.Future[Any]") -> Any:
        """Let as much time pass as a task waits for. Return its result."""
        while not task.done():
            sleeper = asyncio.ensure_future(self.sleepers.get())
            await asyncio.wait({task, sleeper}, return_when=asyncio.FIRST_COMPLETED)
            if sleeper.done():
                at, done = sleeper.result()
                self.seconds = max(self.seconds, at)
                done.set_result(None)
            else:
                sleeper.cancel()
        return await task


class CountedTurns(Turns):
    """Reports each request that begins to wait."""

    def __init__(self, is_unfinished: Any, time: Time) -> None:
        super().__init__(is_unfinished, lambda: time.seconds, time.sleep)
        self._time = time

    async def wait(self, *arguments: Any) -> RateAllowance:
        self._time.waiting.put_nowait(None)
        return await super().wait(*arguments)


class Client:
    """An account of the explorer tier with one job."""

    def __init__(self, service: Service, time: Time, jobs: Any, job_id: str) -> None:
        self.service, self.time, self.jobs, self.job_id = service, time, jobs, job_id
        # When requests were counted.
        self.counted: list[float] = []

    async def get(self) -> job_pb2.Job:
        """Ask for the job, and check that the answer's headers are true."""
        call = self.call(self.job_id)
        job = await call
        self.counted.append(self.time.seconds)
        headers = dict(await call.initial_metadata())
        recent = [at for at in self.counted if at >= self.time.seconds - 60]
        assert int(headers["x-ratelimit-limit"]) == LIMIT
        assert int(headers["x-ratelimit-remaining"]) == LIMIT - len(recent)
        assert int(headers["x-ratelimit-reset"]) - START - recent[0] - 60 < 1
        return job

    def call(self, job_id: str) -> Any:
        return self.jobs.GetJob(job_pb2.GetJobRequest(id=job_id), metadata=self.service.metadata)

    async def spend(self, until: float) -> None:
        """Make as many requests as the limit allows, and let time pass."""
        for _ in range(LIMIT):
            await self.get()
        self.time.seconds = until

    async def refused(self, call: Any) -> int:
        """Return after how many seconds a refused call may be repeated."""
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        trailers = dict(error.value.trailing_metadata() or ())
        assert trailers["x-ratelimit-remaining"] == "0"
        assert self.time.sleepers.empty()
        return int(trailers["retry-after"])

    async def end(self) -> None:
        await self.service.store.jobs.cancel(ADA, self.job_id, now(), job_seconds=60)


@pytest.fixture
async def client(start: Start) -> AsyncIterator[Client]:
    time = Time()
    turns = partial(CountedTurns, time=time)
    async with start(counter=Counter(time.date), turns=turns) as (service, port):
        await service.store.accounts.ensure(ADA, at=now(), tier=Tier.EXPLORER)
        (job_id,) = await service.submit()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Client(service, time, job_pb2_grpc.JobServiceStub(channel), job_id)


async def test_a_client_that_polls_every_two_seconds_is_never_refused(client: Client):
    while client.time.seconds < 300:
        client.time.seconds += 1.9
        await client.time.until(asyncio.ensure_future(client.get()))
    for at in client.counted:
        assert len([each for each in client.counted if at <= each < at + 60]) <= LIMIT
    assert len(client.counted) >= 5 * LIMIT


async def test_a_request_that_waits_answers_with_the_job_as_it_is_then(client: Client):
    await client.spend(until=55)
    waiting = asyncio.ensure_future(client.get())
    until, done = await asyncio.wait_for(client.time.sleepers.get(), PATIENCE_SECONDS)
    assert until == 60
    await client.end()
    client.time.seconds = until
    done.set_result(None)
    assert (await client.time.until(waiting)).status == job_pb2.Job.cancelled
    assert 60 <= client.counted[-1] < 61


async def test_only_a_request_for_an_unfinished_job_waits(client: Client):
    await client.spend(until=55)
    listing = job_pb2.ListJobsRequest()
    assert (
        await client.refused(client.jobs.ListJobs(listing, metadata=client.service.metadata)) == 5
    )
    assert await client.refused(client.call("x")) == 5
    await client.end()
    assert await client.refused(client.call(client.job_id)) == 5


async def test_a_request_whose_turn_is_far_away_is_refused_at_once(client: Client):
    await client.spend(until=49)
    assert await client.refused(client.call(client.job_id)) == 11


async def test_requests_that_wait_are_served_in_order_and_count_as_watches(client: Client):
    await client.spend(until=55)
    order: list[int] = []

    async def ask(number: int) -> None:
        await client.call(client.job_id)
        order.append(number)

    waiting: list[asyncio.Future[None]] = []
    for number in range(MOST):
        waiting.append(asyncio.ensure_future(ask(number)))
        await asyncio.wait_for(client.time.waiting.get(), PATIENCE_SECONDS)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await client.call(client.job_id)
    assert "watches of this account" in (error.value.details() or "")
    await client.time.until(asyncio.gather(*waiting))
    assert order == list(range(MOST))
