"""The cost of a claim does not grow with the jobs that wait or have ended."""

import asyncio

import pytest

from quantcloud.storage import Room, Store
from unit.storage.builders import T0, UNLIMITED, queue

pytestmark = pytest.mark.slow


async def _steps(store: Store, call) -> int:
    """Return how many tens of SQLite instructions the write of `call` takes."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def watch(callback) -> None:
        def work(connection) -> None:
            connection.driver_connection.set_progress_handler(callback, 10)

        return store._database.write(work)

    await watch(count)
    await call()
    await watch(None)
    return steps


async def test_the_cost_of_a_claim_does_not_grow_with_the_waiting_jobs(path):
    store = await Store.open(path)

    async def wait(number: int) -> None:
        await asyncio.gather(*(queue(store, seconds=n) for n in range(number)))

    await wait(20)
    few = await _steps(
        store, lambda: store.jobs.claim("server-1", Room(2), T0, concurrency=UNLIMITED)
    )
    await wait(1000)
    many = await _steps(
        store, lambda: store.jobs.claim("server-1", Room(2), T0, concurrency=UNLIMITED)
    )
    assert 0 < many < 2 * few
    await store.close()


async def test_the_cost_of_a_claim_does_not_grow_with_the_ended_jobs(path):
    store = await Store.open(path)
    ended = [await queue(store, seconds=n) for n in range(2000)]
    await queue(store, seconds=9999)
    few = await _steps(
        store, lambda: store.jobs.claim("server-1", Room(1), T0, concurrency=UNLIMITED)
    )
    for job in ended:
        await store.jobs.cancel(job.account_id, job.id, T0)
    many = await _steps(
        store, lambda: store.jobs.claim("server-1", Room(1), T0, concurrency=UNLIMITED)
    )
    assert 0 < many < 1.5 * few
    await store.close()
