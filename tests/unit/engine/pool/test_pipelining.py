"""Short runs that wait in a worker behind another: none is lost, and none starts twice."""

import asyncio
from collections import Counter

import pytest
import pytest_asyncio

from quantcloud.engine.base import ExecutionTimedOut, OutOfMemory, WorkerLost
from quantcloud.engine.pool.worker_process import MOST_AHEAD
from unit.engine.harness import DEADLINE, Runner, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = 1e-4
PRELOADED = {"probe": ["colorsys"]}


async def engine_of(workers):
    async with running(
        workers=workers, preload_modules=PRELOADED, memory_limit=256 << 20
    ) as engine:
        run = Runner(engine)
        await run("succeed")
        yield run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def single():
    async for run in engine_of(1):
        yield run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def double():
    async for run in engine_of(2):
        yield run


def sent(run):
    """Return how many calls are in the workers, answered or not, and how many wait outside."""
    slots = run.engine._executions
    workers = [slot.worker for slot in slots._slots if slot.worker is not None]
    return sum(len(worker._calls) for worker in workers), len(slots._waiting)


async def submit(run, method="succeed", count=1, *, predicted=SHORT, **arguments):
    tasks = [
        asyncio.ensure_future(run(method, predicted=predicted, **arguments)) for _ in range(count)
    ]
    await asyncio.sleep(0)
    return tasks


async def test_backlog(single, double):
    assert double.engine.backlog == 2 * single.engine.backlog > 2 * MOST_AHEAD


async def test_short_runs_wait_in_the_worker_and_are_answered_in_order(single):
    await single.pid()
    ends = []
    tasks = await submit(single, "last_a_while")
    tasks += await submit(single, count=MOST_AHEAD + 3)
    for number, task in enumerate(tasks):
        task.add_done_callback(lambda _, number=number: ends.append(number))
    assert sent(single) == (MOST_AHEAD, 4)
    outcomes = await asyncio.gather(*tasks)
    assert ends == list(range(MOST_AHEAD + 4))
    assert len({outcome.metadata["pid"] for outcome in outcomes}) == 1


@pytest.mark.parametrize(
    ("ahead", "behind"), [(None, SHORT), (SHORT, None), (SHORT, 1.0), (1.0, SHORT)]
)
async def test_only_short_runs_queue_behind_short_runs(single, ahead, behind):
    await single.pid()
    (first,) = await submit(single, "last_a_while", predicted=ahead)
    (second,) = await submit(single, predicted=behind)
    (third,) = await submit(single)
    # The third does not overtake the second either.
    assert sent(single) == (1, 2)
    await asyncio.gather(first, second, third)


async def test_nothing_is_sent_behind_a_first_import(single):
    await single.pid()
    (first,) = await submit(single, "last_a_while", backend="slow")
    (second,) = await submit(single)
    assert sent(single) == (1, 1)
    await asyncio.gather(first, second)


async def test_runs_behind_one_that_crashes_are_run(single):
    await single.pid()
    (crash,) = await submit(single, "crash")
    others = await submit(single, count=5)
    assert sent(single) == (6, 0)
    with pytest.raises(WorkerLost, match="by SIGSEGV"):
        await crash
    for outcome in await asyncio.gather(*others):
        assert outcome.counts


async def test_runs_behind_one_that_takes_all_memory_are_run(single):
    pid = await single.pid()
    (hog,) = await submit(single, "eat_memory")
    others = await submit(single, count=5)
    with pytest.raises(OutOfMemory):
        await hog
    outcomes = await asyncio.gather(*others)
    assert pid not in {outcome.metadata["pid"] for outcome in outcomes}


async def test_runs_behind_one_that_is_cancelled_are_run(single):
    pid = await single.pid()
    (endless,) = await submit(single, "loop_in_c")
    others = await submit(single, count=5)
    endless.cancel()
    outcomes = await asyncio.gather(*others)
    assert pid not in {outcome.metadata["pid"] for outcome in outcomes}
    assert endless.cancelled()


async def test_runs_behind_one_that_reaches_its_time_limit_are_run(single):
    await single.pid()
    (endless,) = await submit(single, "loop_in_c", limit=0.01)
    others = await submit(single, count=5)
    with pytest.raises(ExecutionTimedOut):
        await endless
    await asyncio.gather(*others)


async def test_cancelling_runs_that_wait_in_a_worker_affects_no_other(single):
    pid = await single.pid()
    tasks = await submit(single, "last_a_while")
    tasks += await submit(single, count=5)
    for waiting in tasks[2:5]:
        waiting.cancel()
    assert sent(single) == (6, 0)
    outcomes = await asyncio.gather(tasks[0], tasks[1], tasks[5])
    assert {outcome.metadata["pid"] for outcome in outcomes} == {pid}
    assert all(task.cancelled() for task in tasks[2:5])
    assert await single.pid() == pid


async def test_an_endless_run_that_was_cancelled_while_it_waited_delays_no_other(single):
    await single.pid()
    (first,) = await submit(single, "last_a_while")
    (endless,) = await submit(single, "loop_in_c")
    others = await submit(single, count=3)
    endless.cancel()
    await asyncio.gather(first, *others)


async def test_runs_behind_one_that_takes_longer_than_expected_go_to_another_worker(double):
    endless = [await double.begin("loop_in_c", predicted=SHORT) for _ in range(2)]
    others = await submit(double, count=4)
    assert sent(double) == (6, 0)
    endless[0].cancel()
    await asyncio.gather(*others)
    assert not endless[1].done()
    endless[1].cancel()


async def test_the_start_is_reported_once_and_time_counts_from_it(single):
    await single.pid()
    starts = []
    execution = single.execution("succeed", predicted=SHORT)
    (first,) = await submit(single, "last_a_while")
    second = asyncio.ensure_future(
        single.engine.execute(execution, time_limit=0.2, on_start=lambda: starts.append(2))
    )
    await asyncio.sleep(0)
    assert sent(single) == (2, 0)
    first.add_done_callback(lambda _: starts.append(1))
    await second
    assert sorted(starts) == [1, 2]


async def test_an_error_in_on_start_of_a_waiting_run_affects_no_other(single):
    def fail():
        raise ZeroDivisionError

    await single.pid()
    (first,) = await submit(single)
    broken = asyncio.ensure_future(
        single.engine.execute(
            single.execution("succeed", predicted=SHORT), time_limit=DEADLINE, on_start=fail
        )
    )
    (last,) = await submit(single)
    with pytest.raises(ZeroDivisionError):
        await broken
    await asyncio.gather(first, last)


async def test_stop_answers_all_waiting_runs():
    async with running(preload_modules=PRELOADED) as engine:
        run = Runner(engine)
        await run("succeed")
        tasks = await submit(run, "loop_in_c")
        tasks += await submit(run, count=3)
        tasks += await submit(run, predicted=None)
    for task in tasks:
        with pytest.raises(WorkerLost, match="the server stopped"):
            await task


async def test_a_worker_that_answered_many_is_replaced_and_no_run_is_lost(monkeypatch):
    monkeypatch.setattr("quantcloud.engine.pool.worker_process._MAX_ANSWERS", 5)
    async with running(workers=1, preload_modules=PRELOADED) as engine:
        run = Runner(engine)
        outcomes = await asyncio.gather(*await submit(run, count=2 * MOST_AHEAD + 5))
    runs_by_worker = Counter(outcome.metadata["pid"] for outcome in outcomes)
    # Those that were sent before the last answer are still answered.
    assert len(runs_by_worker) > 1
    assert max(runs_by_worker.values()) < 5 + MOST_AHEAD
