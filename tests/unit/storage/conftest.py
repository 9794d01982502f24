import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from quantcloud.storage import Store
from quantcloud.storage.database.tables import metadata
from support.external.postgres import Postgres, installations

# POSTGRES=none leaves PostgreSQL out, POSTGRES=all tests every installed version; by default, the
# oldest and the newest version are tested.
_WANTED = os.environ.get("POSTGRES")
INSTALLATIONS = {} if _WANTED == "none" else installations()
# Faster than a new database for each test.
EMPTY = f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"
_FOUND = sorted(INSTALLATIONS)
_TESTED = _FOUND if _WANTED == "all" else sorted({*_FOUND[:1], *_FOUND[-1:]})
VERSIONS = [f"postgres-{version}" for version in _TESTED]


async def migrate(location: str | Path) -> None:
    await (await Store.open(location)).close()


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The path of a migrated, empty database, which tests copy."""
    path = tmp_path_factory.mktemp("template") / "store.db"
    asyncio.run(migrate(path))
    return path


@pytest.fixture
def path(template: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "store.db"
    shutil.copy(template, copy)
    return copy


class Servers:
    """PostgreSQL servers, started on demand, each with a migrated database `store`."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: dict[str, Postgres] = {}

    def close(self) -> None:
        self._stack.close()

    async def get(self, name: str) -> Postgres:
        if name not in self._running:
            version = int(name.removeprefix("postgres-"))
            server = self._stack.enter_context(Postgres(INSTALLATIONS[version]))
            await server.execute("CREATE DATABASE store")
            await migrate(server.url("store"))
            self._running[name] = server
        return self._running[name]


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    running = Servers()
    yield running
    running.close()


@pytest.fixture(params=["sqlite", *VERSIONS])
async def location(request, servers: Servers, path: Path) -> AsyncIterator[Path | str]:
    """The location of a migrated, empty database; each test runs once for every kind."""
    if request.param == "sqlite":
        yield path
        return
    server = await servers.get(request.param)
    yield server.url("store")
    await server.execute(EMPTY, "store")


@pytest.fixture
async def store(location: Path | str) -> AsyncIterator[Store]:
    opened = await Store.open(location)
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite_store(path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(path)
    yield opened
    await opened.close()
