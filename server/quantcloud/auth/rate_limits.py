"""How many requests a minute: of an account by its tier, of strangers by their address."""

import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from quantcloud.auth.windows import MemoryWindows, Windows, WindowsUnavailable
from quantcloud.domain.account import Account, Tier, TierLimits
from quantcloud.domain.errors import RateLimited
from quantcloud.domain.value_object import value_object

# How long a Redis that does not answer is left alone.
_REDIS_PAUSE_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


@value_object
class RateAllowance:
    """Where a caller stands after a request: `remaining` of `limit` in a minute are left.

    At `reset_at` the oldest request that counts no longer does, `reset_after` from now.
    """

    limit: int
    remaining: int
    reset_at: datetime
    reset_after: timedelta
    granted: bool


class Counter:
    """Counts requests in moving windows of one minute.

    In this process, or with `url` in Redis, where all servers that name it share a count. While
    Redis does not answer, each server counts by itself: limits hold, if more loosely. Redis goes by
    the machines' clocks, the count in memory by `clock`. Raises `ValueError` for a bad URL.
    """

    def __init__(self, clock: Callable[[], datetime], url: str | None = None) -> None:
        self._local = MemoryWindows(lambda: clock().timestamp())
        self._shared = _shared(url) if url else None
        self._pause_until = -math.inf

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()

    async def take(self, name: str, who: str, per_minute: int) -> RateAllowance:
        """Count a request of `who`, unless the limit called `name` is reached."""
        # Hashed: an account's id may be an address of mail, and may hold what separates keys.
        key = (
            f"{name}/{hashlib.blake2b(who.encode('utf-8', 'replace'), digest_size=16).hexdigest()}"
        )
        if self._shared is not None and time.monotonic() >= self._pause_until:
            try:
                return await _allowance(self._shared, key, per_minute)
            except WindowsUnavailable as error:
                self._pause_until = time.monotonic() + _REDIS_PAUSE_SECONDS
                log.warning(
                    "Redis does not count requests; this server counts its own", error=str(error)
                )
        return await _allowance(self._local, key, per_minute)


def _shared(url: str) -> Windows:
    # Imported here since most servers need none, and it takes longer than all the rest of this.
    from quantcloud.auth.redis_windows import RedisWindows  # noqa: PLC0415

    return RedisWindows(url)


async def _allowance(windows: Windows, key: str, per_minute: int) -> RateAllowance:
    standing = await windows.take(key, per_minute)
    return RateAllowance(
        limit=per_minute,
        remaining=max(0, standing.remaining),
        reset_at=datetime.fromtimestamp(standing.reset, UTC),
        reset_after=timedelta(seconds=max(0.0, standing.reset - windows.now())),
        granted=standing.granted,
    )


class RequestLimits:
    """Every limit on requests. Of strangers, 0 a minute stands for no limit.

    `limits` gives those of a tier. Health has a count of its own, so that whoever shares an address
    with a monitor does not make it see a failure.
    """

    def __init__(
        self,
        counter: Counter,
        limits: Callable[[Tier], TierLimits],
        *,
        anonymous: int,
        failed_logins: int,
    ) -> None:
        self._counter = counter
        self._limits = limits
        self._anonymous = anonymous
        self._failed_logins = failed_logins

    async def account(self, account: Account) -> RateAllowance | None:
        """Count a request of an account; None where its tier has no limit.

        The allowance may be one that was not granted: `refuse` says so to the caller.
        """
        per_minute = self._limits(account.tier).requests_per_minute
        if per_minute is None:
            return None
        return await self._counter.take("account", account.id, per_minute)

    async def anonymous(self, address: str, *, health: bool = False) -> None:
        """Count a request that needs no credentials. Raises `RateLimited`."""
        name = "health" if health else "anonymous"
        await self._of_address(name, address, self._anonymous, "requests without credentials")

    async def failed_login(self, address: str) -> None:
        """Count credentials that did not hold. Raises `RateLimited`.

        Only those: whoever shares an address with somebody who guesses can still come in, and a
        key of 240 random bits is not found by guessing.
        """
        await self._of_address("login", address, self._failed_logins, "failed logins")

    async def _of_address(self, name: str, address: str, per_minute: int, what: str) -> None:
        if per_minute:
            allowance = await self._counter.take(name, address, per_minute)
            if not allowance.granted:
                raise refuse(allowance, f"{what} from this address")


def refuse(allowance: RateAllowance, what: str) -> RateLimited:
    """The error for a request that was not granted. `what` says what there are too many of."""
    seconds = max(1, math.ceil(allowance.reset_after.total_seconds()))
    return RateLimited(
        f"too many {what}: {allowance.limit} a minute are let through; try again in {seconds} s",
        limit=allowance.limit,
        retry_after=timedelta(seconds=seconds),
        reset_at=allowance.reset_at,
    )
