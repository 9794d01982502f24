"""`quantcloud config check`: what settings alone cannot show, such as a Redis that is down."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from quantcloud.auth.tokens.jwt import Issuer
from quantcloud.certificates import CertificateError, Certificates
from quantcloud.environment import CONFIG_FILE
from quantcloud.settings import Settings
from quantcloud.settings.loading import variable
from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.store import postgres_url, sqlite_path

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
    for name, certificates in _certificates(settings).items():
        with suppress(OSError, ValueError):  # then it cannot be used at all
            if (expiry := certificates.expiry()) is not None:
                yield f"{variable(name)}: {expiry}; renew it"
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


def unusable(settings: Settings) -> Iterator[str]:
    """Yield a line for each setting with which a server would not start."""
    for name, certificates in _certificates(settings).items():
        try:
            certificates.check()
        except CertificateError as error:
            yield f"{variable(name)}: {error}"
    database, secret = settings.database_url, settings.jwt_secret
    if database is not None and not postgres_url(database):
        try:
            sqlite_path(database)
        except StoreError as error:
            yield f"{variable('database_url')}: {error}"
    if secret is not None:
        try:
            Issuer(secret=secret.get_secret_value(), audience=settings.jwt_audience)
        except ValueError as error:
            yield str(error)


def _certificates(settings: Settings) -> Mapping[str, Certificates]:
    return {
        "tls_cert": settings.tls,
        "grpc_tls_cert": settings.grpc_tls,
        "upstream_tls_ca": settings.upstream_tls,
    }


async def unreachable(settings: Settings) -> list[str]:
    """Return a line for each service that the settings name and that does not answer."""
    found = await asyncio.gather(*(_wrong(check, settings) for check in _CHECKS.values()))
    return [
        f"{variable(name)}: {wrong}" for name, wrong in zip(_CHECKS, found, strict=True) if wrong
    ]


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
    if not (url := postgres_url(settings.database)):
        return
    connection = await cast("Any", asyncpg).connect(url)
    await connection.close()


async def _jwks(settings: Settings) -> None:
    if settings.jwks_url is None:
        return
    async with httpx.AsyncClient(timeout=_SECONDS) as client:
        answer = await client.get(str(settings.jwks_url))
        answer.raise_for_status()
        if "keys" not in answer.json():
            raise ValueError("answers, but not with a list of keys")


# By setting. A check does nothing if the setting names no service.
_CHECKS: Mapping[str, Callable[[Settings], Awaitable[None]]] = {
    "data_dir": _data_dir,
    "rate_limit_url": _redis,
    "database_url": _postgres,
    "jwks_url": _jwks,
}
