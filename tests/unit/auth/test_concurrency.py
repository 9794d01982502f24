"""Concurrency limits: each owner holds a limited number of slots, and others wait."""

import asyncio

import pytest

from quantcloud.auth.limits.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import TooManyStreams


async def waiting(limits: ConcurrencyLimits, owner: str) -> asyncio.Task[None]:
    """Return a task that waits for a slot."""
    task = asyncio.create_task(limits.acquire(owner))
    await asyncio.sleep(0)
    return task


async def test_each_owner_has_its_limit_and_the_next_waits_for_a_release():
    limits = ConcurrencyLimits(2, "things", 30)
    assert limits.try_acquire("ada")
    assert limits.try_acquire("ada")
    assert not limits.try_acquire("ada")
    assert limits.try_acquire("bob")
    first, second = await waiting(limits, "ada"), await waiting(limits, "ada")
    assert not first.done()
    limits.release("ada")
    await first
    assert not second.done()
    limits.release("ada")
    await second
    limits.release("ada")
    limits.release("ada")
    limits.release("bob")
    assert limits.try_acquire("ada")


async def test_waiting_too_long_is_refused():
    limits = ConcurrencyLimits(1, "things", 0.01)
    async with limits.hold("ada"):
        with pytest.raises(TooManyStreams, match="too many things: 1 may be open"):
            await limits.acquire("ada")
    assert limits.try_acquire("ada")


@pytest.mark.parametrize("released", [False, True])
async def test_a_cancelled_waiter_takes_no_slot(*, released: bool):
    limits = ConcurrencyLimits(1, "things", 30)
    assert limits.try_acquire("ada")
    leaving, next_one = await waiting(limits, "ada"), await waiting(limits, "ada")
    if released:
        limits.release("ada")  # `leaving` has the slot but has not run yet
        leaving.cancel()
    else:
        leaving.cancel()
        limits.release("ada")
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await next_one
    limits.release("ada")
    assert limits.try_acquire("ada")
