"""Work that waits a moment."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from quantcloud.telemetry import later


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    later.run()
    later._due = False
    yield
    later.run()
    later._due = False


async def test_work_is_done_soon_and_in_order():
    done: list[int] = []
    ended = asyncio.Event()
    for number in range(3):
        later.do(done.append, number)
    later.do(ended.set)
    assert done == []
    async with asyncio.timeout(10):
        await ended.wait()
    assert done == [0, 1, 2]


async def test_much_work_does_not_wait():
    done: list[int] = []
    for number in range(later._MOST):
        later.do(done.append, number)
    assert done == list(range(later._MOST))


def test_without_an_event_loop_work_is_done_at_once():
    done: list[int] = []
    later.do(done.append, 1)
    assert done == [1]


async def test_a_failure_is_logged_and_the_rest_is_done(caplog: pytest.LogCaptureFixture):
    def fail() -> None:
        raise ValueError("no number")

    done: list[int] = []
    later.do(fail)
    later.do(done.append, 1)
    with caplog.at_level(logging.ERROR):
        later.run()
    assert done == [1]
    assert "ValueError: no number" in caplog.text
