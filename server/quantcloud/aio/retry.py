"""Waits until the store is to be had again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from quantcloud.domain.errors import Unavailable

T = TypeVar("T")

RETRY_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)


async def retrying(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, again and again for as long as the store is not to be had.

    A try may have been carried out although it failed: the answer to a commit can be lost. Raises
    `Unavailable` only once the store is closed.
    """
    while True:
        try:
            return await work()
        except Unavailable as error:
            if error.reason == "STORE_CLOSED":
                raise
            log.warning("the store is not to be had, trying again", error=error.message)
        await asyncio.sleep(RETRY_SECONDS)
