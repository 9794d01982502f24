"""Moving windows in Redis, which several servers share."""

from typing import Any

from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool

SCHEMES = ("redis", "rediss", "unix")
_CONNECTIONS = 8
# How long a request may wait for Redis.
_TIMEOUT_SECONDS = 1.0


class RedisWindows(MovingWindowRateLimiter):
    """Windows in the Redis at `url`. Raises `ValueError` if the URL is not a Redis URL."""

    def __init__(self, url: str) -> None:
        self._pool = _connections(url)
        # The library passes these options on unchanged, but its types do not allow them.
        options: dict[str, Any] = {"connection_pool": self._pool}
        super().__init__(
            RedisStorage(
                "async+redis://", wrap_exceptions=True, implementation="redispy", **options
            )
        )

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
