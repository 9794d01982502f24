"""A sweep runs in windows on idle workers, and goes on after what is written."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import Job, JobStatus
from quantcloud.domain.points import SIZES, Points
from quantcloud.domain.sweep import Sweep
from quantcloud.engine.base import ExecutionFailed, ExecutionTimedOut, MachineLost
from quantcloud.scheduling import sweep_run
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job

Window = tuple[int, int]
WINDOW, POINTS = 10, 40
# How long the windows take, so that the next ones are as long as the first.
MILLISECONDS = sweep_run._WINDOW_SECONDS * 1000


def points(first: int, last: int) -> Points:
    entries = [b"point %d" % point for point in range(first, last)]
    return Points(first, array(SIZES, map(len, entries)), b"".join(entries))


class Engine:
    """Four workers whose windows end when the test says so."""

    slots, backlog = 4, 0

    def __init__(self) -> None:
        self.running: dict[Window, asyncio.Future[None]] = {}
        self.started: asyncio.Queue[Window] = asyncio.Queue()

    def is_ready(self, backend):
        return True

    def subscribe(self, listener):
        pass

    async def execute(self, execution, *, time_limit, on_start):
        on_start()
        sweep = execution.sweep
        window = (sweep.first, sweep.last) if sweep else (0, 0)
        may_end = self.running[window] = asyncio.get_running_loop().create_future()
        self.started.put_nowait(window)
        try:
            await may_end
        finally:
            del self.running[window]
        if sweep is None:
            return Outcome({"00": execution.shots}, 1.0)
        return Outcome({}, MILLISECONDS, points=points(*window))


class Machine(Served):
    async def started(self, number: int = 1) -> list[Window]:
        async with asyncio.timeout(DEADLINE):
            return sorted([await self.engine.started.get() for _ in range(number)])

    def end(self, first: int, error: Exception | None = None) -> None:
        (window,) = [each for each in self.engine.running if each[0] == first]
        may_end = self.engine.running[window]
        may_end.set_result(None) if error is None else may_end.set_exception(error)

    async def run_to_the_end(self) -> Job:
        """Let every window end at once."""
        ended = asyncio.ensure_future(self.ended.get())
        while not ended.done():
            for may_end in [*self.engine.running.values()]:
                if not may_end.done():
                    may_end.set_result(None)
            starting = asyncio.ensure_future(self.engine.started.get())
            async with asyncio.timeout(DEADLINE):
                await asyncio.wait([ended, starting], return_when=asyncio.FIRST_COMPLETED)
            starting.cancel()
        return await ended

    async def finished(self) -> Job:
        return await asyncio.wait_for(self.ended.get(), DEADLINE)

    async def written(self, job: Job, number: int) -> None:
        """Wait until `number` points are written."""
        async with asyncio.timeout(DEADLINE):
            # No event tells of a block.
            while (await self.store.jobs.progress(job.id)).done < number:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    async def data(self, job: Job) -> bytes:
        """Return all points that are done."""
        result = await self.store.jobs.result("alice", job.id)
        if result is None:
            result = await self.store.jobs.sweep_so_far(job, 0, None)
        assert result is not None
        assert result.sweep is not None
        return result.sweep.points.data


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "store.db")
    for user in ("alice", "bob"):
        await store.accounts.ensure(user, at=T0)
    yield store
    await store.close()


@pytest.fixture
async def machine(store: Store, monkeypatch) -> AsyncIterator[Machine]:
    monkeypatch.setattr(sweep_run, "_FIRST_SECONDS", sweep_run._WINDOW_SECONDS)
    machine = Machine(store, Engine())
    await machine.scheduler.start()
    yield machine
    await machine.scheduler.stop(0.0)


def sweep_job(number: int = POINTS, seconds: float | None = None) -> tuple[Job, Sweep]:
    """Return a job whose windows are predicted to have `WINDOW` points."""
    predicted = sweep_run._WINDOW_SECONDS * number / WINDOW if seconds is None else seconds
    job = new_job(points=number, predicted_seconds=predicted)
    return job, Sweep(points=number, last=number)


async def test_a_small_sweep_is_one_run(machine: Machine):
    job, sweep = sweep_job(1000, seconds=0.1)
    await machine.submit(job, sweep)
    assert await machine.started() == [(0, 1000)]
    machine.end(0)
    ended = await machine.finished()
    assert (ended.status, ended.metadata["sweep"]) == (
        JobStatus.COMPLETED, {"points": 1000, "points_done": 1000},
    )  # fmt: skip
    assert await machine.data(job) == points(0, 1000).data
    usage = await machine.store.accounts.usage("alice", T0.date())
    assert usage.simulator_seconds == pytest.approx(MILLISECONDS / 1000)


async def test_idle_workers_help_and_points_are_written_in_order(machine: Machine):
    job, sweep = sweep_job(70)
    await machine.submit(job, sweep)
    assert await machine.started(4) == [(0, 10), (10, 20), (20, 30), (30, 40)]
    machine.end(20)
    machine.end(10)
    assert await machine.started(2) == [(40, 50), (50, 60)]
    assert (await machine.store.jobs.progress(job.id)).done == 0
    machine.end(0)
    await machine.written(job, 30)
    ended = await machine.run_to_the_end()
    assert ended.status is JobStatus.COMPLETED
    assert await machine.data(job) == points(0, 70).data
    result = await machine.store.jobs.result("alice", job.id)
    assert result is not None
    assert result.execution_time_ms == pytest.approx(7 * MILLISECONDS)
    usage = await machine.store.accounts.usage("alice", T0.date())
    assert usage.simulator_seconds == pytest.approx(7 * MILLISECONDS / 1000)


async def test_a_job_that_waits_gets_the_next_worker(machine: Machine):
    job, sweep = sweep_job(1000)
    await machine.submit(job, sweep)
    await machine.started(4)
    other = new_job("bob", seconds=1)
    await machine.submit(other)
    machine.end(0)
    await machine.written(job, 10)
    # The worker's next run is of the other job.
    assert (0, 0) in await machine.started()
    machine.end(0)
    assert (await machine.finished()).id == other.id


async def test_a_run_after_a_lost_one_changes_no_written_point(machine: Machine):
    job, sweep = sweep_job()
    await machine.submit(job, sweep)
    await machine.started(4)
    machine.end(0)
    machine.end(10)
    await machine.written(job, 20)
    before = await machine.store.jobs.sweep_so_far(job, 0, None)
    machine.end(20, MachineLost("the worker died"))
    # The others are cancelled, and the next run takes what is left.
    assert await machine.started(2) == [(20, 30), (30, 40)]
    assert (await machine.run_to_the_end()).status is JobStatus.COMPLETED
    assert before is not None
    assert before.sweep is not None
    assert before.sweep.done == 20
    assert await machine.data(job) == points(0, 40).data
    result = await machine.store.jobs.result("alice", job.id)
    assert result is not None
    assert result.execution_time_ms == pytest.approx(4 * MILLISECONDS)


@pytest.mark.parametrize("how", ["cancelled", "timed out"])
async def test_points_that_are_done_outlast_the_end_of_their_job(machine: Machine, how):
    job, sweep = sweep_job()
    await machine.submit(job, sweep)
    await machine.started(4)
    machine.end(0)
    machine.end(10)
    await machine.written(job, 20)
    if how == "cancelled":
        await machine.store.jobs.cancel("alice", job.id, T0)
    else:
        machine.end(20, ExecutionTimedOut("reached its time limit of 0.1 s"))
    ended = await machine.finished()
    assert ended.status is (JobStatus.CANCELLED if how == "cancelled" else JobStatus.TIMEOUT)
    if how == "timed out":
        assert ended.metadata["sweep"] == {"points": 40, "points_done": 20}
        assert ended.error_message == "reached its time limit of 60 s"
    result = await machine.store.jobs.sweep_so_far(ended, 0, None)
    assert result is not None
    assert result.sweep is not None
    assert (result.sweep.done, result.sweep.total) == (20, 40)
    assert await machine.data(job) == points(0, 20).data


async def test_an_error_says_at_which_points(machine: Machine):
    job, sweep = sweep_job()
    await machine.submit(job, sweep)
    await machine.started(4)
    machine.end(10, ExecutionFailed("the matrix is singular"))
    ended = await machine.finished()
    assert ended.status is JobStatus.FAILED
    assert ended.error_message == "at points 10 to 19: the matrix is singular"


@pytest.mark.parametrize(("seconds", "told"), [(0.0, [10, 20, 30]), (3600.0, [])])
async def test_progress_is_an_event_at_most_once_in_a_time(
    machine: Machine, monkeypatch, seconds, told
):
    monkeypatch.setattr(sweep_run, "_EVENT_SECONDS", seconds)
    job, sweep = sweep_job()
    await machine.submit(job, sweep)
    await machine.started(4)
    for first in (0, 10, 20):
        machine.end(first)
        await machine.written(job, first + 10)
    machine.end(30)
    await machine.finished()
    events = await machine.store.events.after("alice", job.id, 0, 100)
    statuses = [event.job.status for event in events]
    assert statuses[-2 - len(told) :] == [
        JobStatus.RUNNING, *[JobStatus.RUNNING for _ in told], JobStatus.COMPLETED,
    ]  # fmt: skip
    progress = [
        event.job.metadata["sweep"]["points_done"]
        for event in events
        if event.job.status is JobStatus.RUNNING and "sweep" in event.job.metadata
    ]
    assert progress == told
    starts = {event.job.started_at for event in events if event.job.status is JobStatus.RUNNING}
    assert len(starts) == 1


async def test_windows_grow_until_they_take_their_time(machine: Machine, monkeypatch):
    monkeypatch.setattr(Engine, "slots", 1)
    # A thousand times too long a prediction.
    job, sweep = sweep_job(1000, seconds=sweep_run._WINDOW_SECONDS * 1000)
    await machine.submit(job, sweep)
    sizes = []
    monkeypatch.setitem(globals(), "MILLISECONDS", 0.001)
    while sum(sizes) < 1000:
        ((first, last),) = await machine.started()
        sizes.append(last - first)
        machine.end(first)
    assert sizes == [1, 4, 16, 64, 256, 659]
    assert (await machine.finished()).status is JobStatus.COMPLETED
