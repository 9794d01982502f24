"""One owner's circuits do not delay another's."""

import asyncio

import pytest

from quantcloud.domain.errors import Unavailable
from quantcloud.engine.fair_queue import FairQueue

LONG = 8 << 20


class Turn:
    """A turn that lasts until the test ends it."""

    def __init__(self, turns: FairQueue, owner: str, characters: int = 1) -> None:
        self.had = asyncio.Event()
        self._end = asyncio.Event()
        self.task = asyncio.ensure_future(self._take(turns, owner, characters))

    async def _take(self, turns: FairQueue, owner: str, characters: int) -> None:
        async with turns.turn(owner, characters):
            self.had.set()
            await self._end.wait()

    async def end(self) -> None:
        self._end.set()
        await self.task


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_an_owner_has_one_turn_at_a_time_in_order():
    turns = FairQueue(3, wait_seconds=60)
    mine = [Turn(turns, "eve") for _ in range(3)]
    for position, turn in enumerate(mine):
        await settled()
        assert [each.had.is_set() for each in mine] == [each <= position for each in range(3)]
        await turn.end()


async def test_another_owner_does_not_wait_behind_many():
    turns = FairQueue(3, wait_seconds=60)
    eves = [Turn(turns, "eve") for _ in range(50)]
    ada = Turn(turns, "ada")
    await settled()
    assert ada.had.is_set()
    for turn in (*eves, ada):
        await turn.end()


async def test_one_place_is_kept_for_short_circuits():
    turns = FairQueue(3, wait_seconds=60)
    long = [Turn(turns, owner, LONG) for owner in ("a", "b", "c")]
    await settled()
    assert [turn.had.is_set() for turn in long] == [True, True, False]
    short = [Turn(turns, owner) for owner in ("d", "e")]
    await settled()
    assert [turn.had.is_set() for turn in short] == [True, False]
    await long[0].end()
    await settled()
    assert short[1].had.is_set() or long[2].had.is_set()
    for turn in (*long[1:], *short):
        await turn.end()


async def test_the_waiting_text_of_one_owner_is_limited():
    turns = FairQueue(3, wait_seconds=60)
    mine = [Turn(turns, "eve", LONG) for _ in range(8)]
    await settled()
    with pytest.raises(Unavailable, match="circuits of this account are waiting") as full:
        await Turn(turns, "eve", LONG).task
    assert full.value.reason == "EXAMINERS_BUSY"
    other = Turn(turns, "ada", LONG)
    await settled()
    assert other.had.is_set()
    await mine[0].end()
    mine.append(Turn(turns, "eve", LONG))
    for turn in (*mine[1:], other):
        await turn.end()


async def test_a_wait_that_times_out_leaves_nothing_behind():
    turns = FairQueue(1, wait_seconds=0.01)
    first = Turn(turns, "eve")
    await settled()
    for owner in ("eve", "ada"):
        with pytest.raises(Unavailable, match="too many large circuits are waiting"):
            await Turn(turns, owner).task
    # A turn in progress has no time limit.
    await first.end()
    again = Turn(turns, "ada")
    await settled()
    assert again.had.is_set()
    await again.end()
    assert not turns._owners


async def test_an_error_within_a_turn_is_raised_unchanged():
    turns = FairQueue(1, wait_seconds=60)
    with pytest.raises(TimeoutError, match="mine"):
        async with turns.turn("eve", 1):
            raise TimeoutError("mine")
    waiting = Turn(turns, "eve")
    cancelled = Turn(turns, "eve")
    await settled()
    cancelled.task.cancel()
    await asyncio.gather(cancelled.task, return_exceptions=True)
    await waiting.end()
    assert not turns._owners
