"""When the next transaction is carried out, where many write."""

import asyncio

import pytest

from quantcloud.storage import gathering
from quantcloud.storage.gathering import Gathering

PATIENCE = 30


@pytest.fixture(autouse=True)
def endless(monkeypatch: pytest.MonkeyPatch):
    """What ends a wait is not its time."""
    monkeypatch.setattr(gathering, "_SECONDS", 3600.0)
    monkeypatch.setattr(gathering, "_LONGEST", 3600.0)


async def until_waiting(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_where_few_write_nobody_waits():
    few = Gathering()
    assert not few.begin(3)
    await few.over()


async def test_as_many_as_before_are_waited_for_and_go_together():
    many = Gathering()
    assert many.begin(4)
    # Two while the transaction is under way, one before and one that does not wait after its end.
    tasks = [asyncio.ensure_future(many.over()) for _ in range(2)]
    await until_waiting(tasks)
    waiting = asyncio.ensure_future(many.wait())
    tasks.append(asyncio.ensure_future(many.over()))
    await until_waiting([*tasks, waiting])
    many.come()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(waiting, *tasks)
        # The next one begins anew.
        await many.over()
    assert many.begin(4)
    late = asyncio.ensure_future(many.over())
    await until_waiting([late])
    many.close()
    await late


async def test_those_who_came_during_the_transaction_wait_no_longer():
    many = Gathering()
    assert many.begin(4)
    tasks = [asyncio.ensure_future(many.over()) for _ in range(5)]
    await until_waiting(tasks)
    await many.wait()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*tasks)


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "_LONGEST", 0.001)
    many = Gathering()
    assert many.begin(4)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(many.wait(), many.over())


async def test_who_gives_up_takes_nobody_along():
    many = Gathering()
    assert many.begin(4)
    stays, goes = (asyncio.ensure_future(many.over()) for _ in range(2))
    await until_waiting([stays, goes])
    goes.cancel()
    await asyncio.wait([goes])
    assert goes.cancelled()
    await until_waiting([stays])
    many.close()
    await stays
