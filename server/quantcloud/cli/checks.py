"""`quantcloud config check`: what settings alone cannot show, such as a Redis that is down."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from quantcloud.environment import CONFIG_FILE
from quantcloud.settings import Settings
from quantcloud.settings.loading import variable

_SECONDS = 3.0
_OTHERS = 0o077
_ERRORS = (OSError, RedisError, asyncpg.PostgresError, httpx.HTTPError, ValueError)


def advice(settings: Settings) -> Iterator[str]:
    """Yield a line for each setting that is valid, but dangerous or without effect."""
    alone = not settings.envoy and settings.proxy_secret is None
    if alone and settings.grpc_host not in {"127.0.0.1", "::1"}:
        yield (
            f"{variable('grpc_host')}: {settings.grpc_host} lets other machines in, and without "
            f"{variable('proxy_secret')} the server counts all clients behind your Envoy as one; "
            "set the same secret for Envoy and for its servers"
        )
    file = os.environ.get(CONFIG_FILE)
    secrets = [
        name
        for name in settings.model_fields_set
        if isinstance(getattr(settings, name), SecretStr) and not os.environ.get(variable(name))
    ]
    if file and secrets and Path(file).stat().st_mode & _OTHERS:
        yield (
            f"{file}: holds {', '.join(sorted(secrets))} and other users may read it; "
            "run `chmod 600` on it"
        )


async def unreachable(settings: Settings) -> list[str]:
    """Return a line for each service that the settings name and that does not answer."""
    checks: list[tuple[str, Callable[[Settings], Awaitable[None]]]] = [("data_dir", _data_dir)]
    if settings.rate_limit_url is not None:
        checks.append(("rate_limit_url", _redis))
    if settings.database_url is not None and settings.database_url.startswith("postgresql"):
        checks.append(("database_url", _postgres))
    if settings.jwks_url is not None:
        checks.append(("jwks_url", _jwks))
    return [
        f"{variable(name)}: {wrong}"
        for (name, _), wrong in zip(
            checks, await asyncio.gather(*(_wrong(check, settings) for _, check in checks)),
            strict=True,
        )
        if wrong
    ]  # fmt: skip


async def _wrong(check: Callable[[Settings], Awaitable[None]], settings: Settings) -> str:
    try:
        async with asyncio.timeout(_SECONDS):
            await check(settings)
    except TimeoutError:
        return f"nothing answered within {_SECONDS:g} seconds"
    except _ERRORS as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    """Return the cause of an error. Drivers add hints and links in further lines."""
    return (str(error) or type(error).__name__).splitlines()[0]


async def _data_dir(settings: Settings) -> None:
    folder = settings.data_dir
    existing = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is no folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(f"{existing} cannot be written")


async def _redis(settings: Settings) -> None:
    url = settings.rate_limit_url
    if url is None:
        return
    client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
        url.get_secret_value(), socket_connect_timeout=_SECONDS, socket_timeout=_SECONDS
    )
    try:
        await client.execute_command("PING")  # pyright: ignore[reportUnknownMemberType]
    finally:
        await client.aclose()


async def _postgres(settings: Settings) -> None:
    connection = await cast("Any", asyncpg).connect(settings.database_url)
    await connection.close()


async def _jwks(settings: Settings) -> None:
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        answer = await client.get(str(settings.jwks_url))
        answer.raise_for_status()
        if "keys" not in answer.json():
            raise ValueError("answers, but not with a list of keys")
