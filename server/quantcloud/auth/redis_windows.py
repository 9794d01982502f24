"""Windows in Redis, which several servers share, with the `limits` library."""

import time
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from redis.asyncio import BlockingConnectionPool

from quantcloud.auth.windows import Standing, WindowsUnavailable

SCHEMES = ("redis", "rediss", "unix")
_NAMESPACE = "quantcloud"
_CONNECTIONS = 8
# How long a request may wait for Redis.
_TIMEOUT_SECONDS = 1.0


class RedisWindows:
    """See `windows.Windows`. Raises `ValueError` if the URL is not a Redis URL."""

    def __init__(self, url: str) -> None:
        self._pool = _connections(url)
        # The library passes these options on unchanged, but its types do not allow them.
        options: dict[str, Any] = {"connection_pool": self._pool}
        storage = RedisStorage(
            "async+redis://", wrap_exceptions=True, implementation="redispy", **options
        )
        self._limiter = MovingWindowRateLimiter(storage)

    def now(self) -> float:
        return time.time()

    async def take(self, key: str, limit: int) -> Standing:
        item = RateLimitItemPerMinute(limit, namespace=_NAMESPACE)
        try:
            granted = await self._limiter.hit(item, key)
            reset, remaining = await self._limiter.get_window_stats(item, key)
        except StorageError as error:
            raise WindowsUnavailable(type(error.storage_error).__name__) from error
        return Standing(granted, remaining, reset)

    async def close(self) -> None:
        await self._pool.disconnect()


def _connections(url: str) -> BlockingConnectionPool:
    if url.partition("://")[0] not in SCHEMES:
        raise ValueError(
            "QUANTCLOUD_RATE_LIMIT_URL is not a Redis URL: give redis://HOST:PORT/DATABASE, "
            "rediss://... or unix://PATH"
        )
    try:
        return BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT_SECONDS,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
        )
    except ValueError as error:
        # The library's message may contain the URL, which may contain a password.
        raise ValueError("QUANTCLOUD_RATE_LIMIT_URL cannot be read") from error
