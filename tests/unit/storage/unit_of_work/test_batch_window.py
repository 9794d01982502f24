"""How long the next transaction waits for more units of work."""

import asyncio
from itertools import pairwise

import pytest

from quantcloud.storage.unit_of_work import batch_window
from quantcloud.storage.unit_of_work.batch_window import BatchWindow

TIMEOUT = 30


@pytest.fixture(autouse=True)
def no_time_limit(monkeypatch: pytest.MonkeyPatch):
    """Waits end for other reasons than their time limit."""
    monkeypatch.setattr(batch_window, "_SECONDS_PER_UNIT", 3600.0)
    monkeypatch.setattr(batch_window, "_MAX_SECONDS", 3600.0)


async def until_waiting(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_after_a_transaction_of_one_unit_nothing_waits():
    window = BatchWindow()
    window.begin(1)
    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(window.wait(), window.join())


async def test_the_window_waits_for_as_many_units_as_before():
    window = BatchWindow()
    window.begin(4)
    # This one joins while the transaction runs, so it does not wait.
    await window.join()
    window.arrive()
    waiting = asyncio.ensure_future(window.wait())
    await until_waiting([waiting])
    tasks = [asyncio.ensure_future(window.join()) for _ in range(2)]
    await until_waiting([*tasks, waiting])
    window.arrive()
    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(waiting, *tasks)
        # The window is closed now.
        await window.join()


async def test_units_that_arrive_during_the_transaction_count():
    window = BatchWindow()
    window.begin(4)
    for _ in range(4):
        window.arrive()
    async with asyncio.timeout(TIMEOUT):
        await window.wait()


async def test_the_wait_has_a_time_limit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch_window, "_MAX_SECONDS", 0.001)
    window = BatchWindow()
    window.begin(4)
    waiting = asyncio.ensure_future(window.wait())
    await until_waiting([waiting])
    async with asyncio.timeout(TIMEOUT):
        await asyncio.gather(waiting, window.join())


async def test_other_tasks_run_between_releases():
    window = BatchWindow()
    window.begin(100)
    waiting = asyncio.ensure_future(window.wait())
    await until_waiting([waiting])
    released: list[int] = []

    async def join(number: int) -> None:
        await window.join()
        released.append(number)

    tasks = [asyncio.ensure_future(join(number)) for number in range(100)]
    counts: list[int] = []
    async with asyncio.timeout(TIMEOUT):
        while len(released) < 100:
            await asyncio.sleep(0)
            counts.append(len(released))
        await asyncio.gather(waiting, *tasks)
    assert released == [*range(100)]
    steps = [after - before for before, after in pairwise([0, *counts])]
    assert max(steps) <= batch_window._RELEASE_BATCH


async def test_a_cancelled_caller_releases_no_other():
    window = BatchWindow()
    window.begin(4)
    waiting = asyncio.ensure_future(window.wait())
    await until_waiting([waiting])
    stays, cancelled = (asyncio.ensure_future(window.join()) for _ in range(2))
    await until_waiting([stays, cancelled])
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert cancelled.cancelled()
    await until_waiting([stays])
    window.close()
    await stays
    waiting.cancel()
    await asyncio.wait([waiting])
