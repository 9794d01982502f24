"""Requests over an account's limit that wait for their turn instead of a refusal."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

from quantcloud.auth.limits.rate_limits import RateAllowance
from quantcloud.auth.principal import Principal

MOST_SECONDS: Final = 10.0
"""How long a request waits at most."""
# How long a request waits that should be allowed by now.
_PAUSE_SECONDS: Final = 0.01


class Turns:
    """Lets requests wait until their account's limit allows them: first come, first served.

    Clients that cannot stream ask for their job again and again, so a request waits if its job
    `is_unfinished`. Use it from one event loop only. `sleep` waits for seconds of `clock`, which is
    monotonic.
    """

    def __init__(
        self,
        is_unfinished: Callable[[Principal, str], Awaitable[bool]],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._is_unfinished = is_unfinished
        self._clock = clock
        self._sleep = sleep
        # The request of an account that is next holds the lock. The others get it in order.
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: Counter[str] = Counter()

    async def may_wait(self, principal: Principal, job_id: str, refused: RateAllowance) -> bool:
        """Return whether a refused request for a job may wait. A turn that is far away may not."""
        near = refused.reset_after.total_seconds() <= MOST_SECONDS
        return near and await self._is_unfinished(principal, job_id)

    async def wait(
        self,
        account_id: str,
        refused: RateAllowance,
        take: Callable[[], Awaitable[RateAllowance]],
    ) -> RateAllowance:
        """Count a refused request with `take` as soon as the limit allows it.

        Returns an allowance that is not granted if that takes longer than `MOST_SECONDS`.
        """
        until = self._clock() + MOST_SECONDS
        self._waiting[account_id] += 1
        is_first = self._waiting[account_id] == 1
        try:
            async with self._locks[account_id]:
                allowance = refused if is_first else await take()
                while not allowance.granted:
                    left = max(allowance.reset_after.total_seconds(), _PAUSE_SECONDS)
                    if self._clock() + left > until:
                        break
                    await self._sleep(left)
                    allowance = await take()
                return allowance
        finally:
            self._waiting[account_id] -= 1
            if not self._waiting[account_id]:
                del self._waiting[account_id], self._locks[account_id]
