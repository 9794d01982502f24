"""Concurrency limits: each owner holds a limited number of slots, and others wait."""

import asyncio

import pytest

from quantcloud.auth.limits.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import TooManyStreams


class Holder:
    """A task that holds a slot from when it gets one until `release`."""

    def __init__(self, limits: ConcurrencyLimits, owner: str) -> None:
        self.holds = False
        self._end = asyncio.Event()
        self.task = asyncio.create_task(self._hold(limits, owner))

    async def _hold(self, limits: ConcurrencyLimits, owner: str) -> None:
        async with limits.hold(owner):
            self.holds = True
            await self._end.wait()

    def release(self) -> None:
        self._end.set()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_owner_has_its_limit_and_the_next_waits_for_a_release():
    limits = ConcurrencyLimits(2, "things", 30)
    ada = [Holder(limits, "ada") for _ in range(4)]
    bob = Holder(limits, "bob")
    await settled()
    assert [each.holds for each in (*ada, bob)] == [True, True, False, False, True]
    ada[1].release()
    await settled()
    assert [each.holds for each in ada] == [True, True, True, False]
    for each in (*ada, bob):
        each.release()
    await asyncio.gather(*(each.task for each in (*ada, bob)))
    assert ada[3].holds
    assert not limits._owners


async def test_waiting_too_long_is_refused():
    limits = ConcurrencyLimits(1, "things", 0.01)
    async with limits.hold("ada"):
        with pytest.raises(TooManyStreams, match="too many things: 1 may be open"):
            async with limits.hold("ada"):
                pass
    async with limits.hold("ada"):
        pass


@pytest.mark.parametrize("released", [False, True])
async def test_a_cancelled_waiter_takes_no_slot(*, released: bool):
    limits = ConcurrencyLimits(1, "things", 30)
    first, leaving, next_one = (Holder(limits, "ada") for _ in range(3))
    await settled()
    first.release()
    if released:
        await asyncio.sleep(0)  # now `leaving` has the slot, but it has not run yet
        assert not leaving.holds
    leaving.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving.task
    await settled()
    assert (leaving.holds, next_one.holds) == (False, True)
    next_one.release()
    await next_one.task
    assert not limits._owners
