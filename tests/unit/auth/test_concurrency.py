"""Turns: so many at once, and the others after them."""

import asyncio

import pytest

from quantcloud.auth.concurrency import ConcurrencyLimits
from quantcloud.domain.errors import TooManyStreams


async def taken(turns: ConcurrencyLimits, owner: str) -> asyncio.Task[None]:
    """A task that waits for its turn."""
    task = asyncio.create_task(turns.acquire(owner))
    await asyncio.sleep(0)
    return task


async def test_each_has_so_many_and_the_next_waits_for_the_first_that_is_given_back():
    turns = ConcurrencyLimits(2, "things", 30)
    assert turns.try_acquire("ada")
    assert turns.try_acquire("ada")
    assert not turns.try_acquire("ada")
    assert turns.try_acquire("bob")
    first, second = await taken(turns, "ada"), await taken(turns, "ada")
    assert not first.done()
    turns.release("ada")
    await first
    assert not second.done()
    turns.release("ada")
    await second
    turns.release("ada")
    turns.release("ada")
    turns.release("bob")
    assert turns.try_acquire("ada")


async def test_who_waits_too_long_is_refused():
    turns = ConcurrencyLimits(1, "things", 0.01)
    async with turns.hold("ada"):
        with pytest.raises(TooManyStreams, match="too many things: 1 may be open"):
            await turns.acquire("ada")
    assert turns.try_acquire("ada")


@pytest.mark.parametrize("given_back", [False, True])
async def test_who_stops_waiting_takes_nobodys_turn(*, given_back: bool):
    turns = ConcurrencyLimits(1, "things", 30)
    assert turns.try_acquire("ada")
    leaving, next_one = await taken(turns, "ada"), await taken(turns, "ada")
    if given_back:
        turns.release("ada")  # its turn has come, and it does not know yet
        leaving.cancel()
    else:
        leaving.cancel()
        turns.release("ada")
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await next_one
    turns.release("ada")
    assert turns.try_acquire("ada")
