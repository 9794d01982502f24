"""Limits of requests per minute: of an account by tier, without credentials by address."""

import hashlib
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import structlog
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError

from quantcloud.auth.limits.windows import MemoryWindows
from quantcloud.domain.account import Account, Tier, TierLimits
from quantcloud.domain.errors import RateLimited
from quantcloud.domain.value_object import value_object
from quantcloud.telemetry import metrics

if TYPE_CHECKING:
    from quantcloud.auth.limits.redis_windows import RedisWindows

# How long a Redis that does not answer is not asked again.
_REDIS_PAUSE_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


@value_object
class RateAllowance:
    """A caller's rate after a request: `remaining` of `limit` requests per minute are left.

    At `reset_at` (`reset_after` from now), the oldest counted request leaves the window.
    """

    limit: int
    remaining: int
    reset_at: datetime
    reset_after: timedelta
    granted: bool


class Counter:
    """Counts requests in moving windows of one minute.

    It counts in this process. With `url`, it counts in Redis, and all servers with the same URL
    share the count. While Redis does not answer, each server counts by itself, so limits are
    looser. Redis uses the machines' clocks, and memory uses `clock`. Raises `ValueError` if the URL
    is not valid.
    """

    def __init__(self, clock: Callable[[], datetime], url: str | None = None) -> None:
        self._now = lambda: clock().timestamp()
        self._local = MovingWindowRateLimiter(MemoryWindows(self._now))
        self._shared = _shared(url) if url else None
        self._pause_until = -math.inf
        metrics.REDIS_UP.set(1)

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._shared is not None:
            await self._shared.close()

    async def take(self, name: str, who: str, per_minute: int) -> RateAllowance:
        """Count a request of `who`, unless the limit `name` is reached."""
        item = _per_minute(per_minute)
        # Hashed, because an account's id may be an email address, or contain key separators.
        key = hashlib.blake2b(who.encode("utf-8", "replace"), digest_size=16).hexdigest()
        if self._shared is not None and time.monotonic() >= self._pause_until:
            try:
                allowance = await _take(self._shared, item, (name, key), time.time)
            except StorageError as error:
                metrics.REDIS_UP.set(0)
                self._pause_until = time.monotonic() + _REDIS_PAUSE_SECONDS
                log.warning(
                    "Redis does not count requests; this server counts its own",
                    error=type(error.storage_error).__name__,
                )
            else:
                metrics.REDIS_UP.set(1)
                return allowance
        return await _take(self._local, item, (name, key), self._now)


@cache
def _per_minute(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace="quantcloud")


def _shared(url: str) -> "RedisWindows":
    # Imported here because most servers do not need it, and it takes long to import.
    from quantcloud.auth.limits.redis_windows import RedisWindows  # noqa: PLC0415

    return RedisWindows(url)


async def _take(
    limiter: MovingWindowRateLimiter,
    item: RateLimitItem,
    key: tuple[str, str],
    now: Callable[[], float],
) -> RateAllowance:
    granted = await limiter.hit(item, *key)
    reset, remaining = await limiter.get_window_stats(item, *key)
    return RateAllowance(
        limit=item.amount,
        remaining=max(0, remaining),
        reset_at=datetime.fromtimestamp(reset, UTC),
        reset_after=timedelta(seconds=max(0.0, reset - now())),
        granted=granted,
    )


class RequestLimits:
    """All limits of requests. Without credentials, 0 requests per minute means no limit.

    `limits` returns the limits of a tier. Health has a separate count, so that other clients at a
    monitor's address cannot make its requests fail.
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
        """Count a request of an account. Return None if its tier has no limit.

        If the allowance is not granted, use `refuse` for the caller's error.
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
        """Count invalid credentials. Raises `RateLimited`.

        Valid credentials do not count, so others at an attacker's address can still log in. A key
        of 240 random bits cannot be guessed anyway.
        """
        await self._of_address("login", address, self._failed_logins, "failed logins")

    async def _of_address(self, name: str, address: str, per_minute: int, what: str) -> None:
        if per_minute:
            allowance = await self._counter.take(name, address, per_minute)
            if not allowance.granted:
                raise refuse(allowance, f"{what} from this address")


def refuse(allowance: RateAllowance, what: str) -> RateLimited:
    """Return the error for a request that was not granted. `what` names the requests."""
    seconds = max(1, math.ceil(allowance.reset_after.total_seconds()))
    return RateLimited(
        f"too many {what}: the limit is {allowance.limit} a minute; try again in {seconds} s",
        limit=allowance.limit,
        retry_after=timedelta(seconds=seconds),
    )
