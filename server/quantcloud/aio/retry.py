"""Retries while the store is unavailable."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from quantcloud.domain.errors import Unavailable

T = TypeVar("T")

RETRY_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)


async def retrying(work: Callable[[], Awaitable[T]]) -> T:
    """Call `work` until the store is available, and return its result.

    A failed try may still have taken effect, because the answer to a commit can be lost. Raises
    `Unavailable` only if the store is closed.
    """
    while True:
        try:
            return await work()
        except Unavailable as error:
            if error.reason == "STORE_CLOSED":
                raise
            log.warning("the store is unavailable, trying again", error=error.message)
        await asyncio.sleep(RETRY_SECONDS)
