"""When the next transaction is carried out, where many write."""

import asyncio
from itertools import pairwise

import pytest

from quantcloud.storage.unit_of_work import batch_window as gathering
from quantcloud.storage.unit_of_work.batch_window import Gathering, is_many

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
    assert not is_many(3)
    assert is_many(4)
    few.begin(3)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(few.wait(), few.over())


async def test_as_many_as_before_are_waited_for_and_go_together():
    many = Gathering()
    many.begin(4)
    # One comes while the transaction is under way, and is not held for that.
    await many.over()
    many.come()
    waiting = asyncio.ensure_future(many.wait())
    await until_waiting([waiting])
    tasks = [asyncio.ensure_future(many.over()) for _ in range(2)]
    await until_waiting([*tasks, waiting])
    # And one does not wait.
    many.come()
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(waiting, *tasks)
        # Who comes now waits for nothing.
        await many.over()


async def test_those_who_came_during_the_transaction_are_not_waited_for_again():
    many = Gathering()
    many.begin(4)
    for _ in range(4):
        many.come()
    async with asyncio.timeout(PATIENCE):
        await many.wait()


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "_LONGEST", 0.001)
    many = Gathering()
    many.begin(4)
    waiting = asyncio.ensure_future(many.wait())
    await until_waiting([waiting])
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(waiting, many.over())


async def test_however_many_were_held_others_have_their_turns():
    many = Gathering()
    many.begin(100)
    waiting = asyncio.ensure_future(many.wait())
    await until_waiting([waiting])
    gone: list[int] = []

    async def come(number: int) -> None:
        await many.over()
        gone.append(number)

    tasks = [asyncio.ensure_future(come(number)) for number in range(100)]
    turns: list[int] = []
    async with asyncio.timeout(PATIENCE):
        while len(gone) < 100:
            await asyncio.sleep(0)
            turns.append(len(gone))
        await asyncio.gather(waiting, *tasks)
    assert gone == [*range(100)]
    steps = [after - before for before, after in pairwise([0, *turns])]
    assert max(steps) <= gathering._AT_ONCE


async def test_who_gives_up_takes_nobody_along():
    many = Gathering()
    many.begin(4)
    waiting = asyncio.ensure_future(many.wait())
    await until_waiting([waiting])
    stays, goes = (asyncio.ensure_future(many.over()) for _ in range(2))
    await until_waiting([stays, goes])
    goes.cancel()
    await asyncio.wait([goes])
    assert goes.cancelled()
    await until_waiting([stays])
    many.close()
    await stays
    waiting.cancel()
    await asyncio.wait([waiting])
