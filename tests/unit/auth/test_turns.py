"""Requests over a limit get their turn in order, and not too late."""

import asyncio
from datetime import UTC, datetime

import pytest

from quantcloud.auth.limits.rate_limits import Counter
from quantcloud.auth.limits.turns import MOST_SECONDS, Turns


class Time:
    """Time passes only while everything sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)


class World:
    """A limit of 3 requests a minute."""

    def __init__(self) -> None:
        self.time = Time()
        self.turns = Turns(self.may_wait, self.time.clock, self.time.sleep)
        self.counter = Counter(lambda: datetime.fromtimestamp(1e9 + self.time.now, UTC))
        self.served: list[tuple[str, float]] = []

    async def may_wait(self, _principal: object, _job_id: str) -> bool:
        raise AssertionError

    async def take(self, who: str = "ada"):
        return await self.counter.take("account", who, 3)

    async def ask(self, name: str, who: str = "ada") -> bool:
        allowance = await self.take(who)
        if not allowance.granted:
            allowance = await self.turns.wait(who, allowance, lambda: self.take(who))
        if allowance.granted:
            self.served.append((name, round(self.time.now)))
        return allowance.granted


async def fill(world: World, *times: float, who: str = "ada") -> None:
    for at in times:
        world.time.now = at
        assert (await world.take(who)).granted


async def test_requests_are_served_in_order_as_the_window_moves():
    world = World()
    await fill(world, 0, 2, 4)
    world.time.now = 58
    assert await asyncio.gather(*(world.ask(name) for name in "abc")) == [True] * 3
    assert world.served == [("a", 60), ("b", 62), ("c", 64)]
    assert not world.turns._locks
    assert not world.turns._waiting


async def test_a_turn_that_comes_too_late_is_refused_at_once():
    world = World()
    await fill(world, 0, 2, 30)
    world.time.now = 51
    assert await asyncio.gather(*(world.ask(name) for name in "abcd")) == [
        True, False, False, False
    ]  # fmt: skip
    assert world.time.now < 51 + MOST_SECONDS
    assert not world.turns._locks


async def test_the_turns_of_accounts_are_apart():
    world = World()
    await fill(world, 0, 0, 0)
    await fill(world, 5, 5, 5, who="bob")
    world.time.now = 59
    assert await asyncio.gather(world.ask("a"), world.ask("b", "bob")) == [True, True]
    assert not world.turns._waiting


async def test_one_that_leaves_makes_room_for_the_next():
    world = World()
    await fill(world, 0, 50, 50)
    world.time.now = 58
    held = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        held.set()
        await asyncio.Event().wait()

    world.turns._sleep = sleep
    first = asyncio.ensure_future(world.ask("first"))
    await held.wait()
    second = asyncio.ensure_future(world.ask("second"))
    await asyncio.sleep(0)
    world.turns._sleep = world.time.sleep
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    assert world.served == [("second", 60)]
    assert not world.turns._locks
