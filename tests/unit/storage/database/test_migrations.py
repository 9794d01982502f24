"""Migrations from every released revision keep its rows."""

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from quantcloud.domain.cursors import Listing
from quantcloud.domain.job import JobStatus
from quantcloud.domain.job_filter import JobFilter
from quantcloud.storage import Store, StoreError
from quantcloud.storage.database import migrate
from quantcloud.storage.database.migrations import HEAD
from quantcloud.storage.database.postgres import PostgresDatabase
from quantcloud.storage.database.revision import difference, revision_of_postgres
from quantcloud.storage.database.tables import metadata
from unit.storage.builders import T0, submit
from unit.storage.conftest import VERSIONS, Servers

REVISIONS = ["0001", "0005"]


def upgrade(connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate._FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.fixture(params=["sqlite", *VERSIONS])
async def empty(request, servers: Servers, tmp_path):
    """A database without tables."""
    if request.param == "sqlite":
        yield tmp_path / "old.db"
        return
    server = await servers.get(request.param)
    name = await server.create_database()
    yield server.url(name)
    await server.drop_database(name)


async def prepare(location: Path | str, revision: str) -> None:
    if isinstance(location, Path):
        engine = create_engine(f"sqlite:///{location}")
        with engine.begin() as connection:
            upgrade(connection, revision)
        engine.dispose()
        return
    database = postgres_database(location)
    async with database._write_engine.begin() as connection:
        await connection.run_sync(upgrade, revision)
    await database.close()


def postgres_database(location: str):
    return PostgresDatabase(location, 1)


async def fill(location: Path | str) -> None:
    """Insert an account with a dispatched job, in the first release's format."""
    account = "INSERT INTO accounts (id, tier, created_at, turn) VALUES ('alice', 'explorer', 1, 0)"
    job = (
        "INSERT INTO jobs (id, account_id, submitted_at, shots, optimize_for, seed, options,"
        " reserved_qpu_tasks, reserved_cost_usd, status, sequence, backend, method, queued_at,"
        " metadata, metadata_sequence, attempt, losses, metered, lease_owner, lease_token)"
        " VALUES ('00000000-0000-4000-8000-000000000001', 'alice', 1, 1, 'balanced', 7, '{}',"
        " 0, 0, 'dispatched', 5, 'local_simulator', 'statevector', 1, '{}', 1, 1, 0, false,"
        " 'server-0', 'token')"
    )
    usage = "INSERT INTO monthly_usage VALUES ('alice', '1970-01', 0, 0, 1, 0)"
    if isinstance(location, Path):
        connection = sqlite3.connect(location)
        connection.execute(account)
        connection.execute(job)
        connection.execute(usage)
        connection.commit()
        connection.close()
        return
    server = await asyncpg.connect(location)
    await server.execute(account)
    await server.execute(job)
    await server.execute(usage)
    await server.close()


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_migration_keeps_the_rows(empty, revision):
    await prepare(empty, revision)
    await fill(empty)
    store = await Store.open(empty)
    (event,) = await store.leases.take_back("server-1", T0)
    assert event.job.status is JobStatus.QUEUED
    await submit(store)
    await store.close()
    again = await Store.open(empty)
    page = await again.jobs.list("alice", limit=9, offset=0)
    assert page.total == 2
    assert {(job.name, job.tags) for job in page.items} == {(None, ())}
    for wanted in (JobFilter(tag="a"), JobFilter(name_prefix="a")):
        assert (await again.jobs.list("alice", limit=9, wanted=wanted)).items == []
    await again.close()


async def test_every_store_on_a_database_has_the_same_epoch(empty):
    stores = await asyncio.gather(Store.open(empty), Store.open(empty))
    for store in stores:
        await store.close()
    stores.append(await Store.open(empty))
    await stores[-1].close()
    assert len({store.cursors.write(Listing.EVENTS, 7) for store in stores}) == 1


async def test_postgres_has_the_declared_tables(servers: Servers):
    if not VERSIONS:
        pytest.skip("there is no PostgreSQL here")
    server = await servers.get(VERSIONS[-1])

    def compare(connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    database = postgres_database(server.url("store"))
    async with database._read_engine.connect() as connection:
        assert await connection.run_sync(compare) == []
        names = await connection.run_sync(lambda c: inspect(c).get_table_names())
    assert set(names) == {*metadata.tables, "alembic_version"}
    await database.close()


async def test_an_unusable_postgres_is_refused(servers: Servers):
    if not VERSIONS:
        pytest.skip("there is no PostgreSQL here")
    server = await servers.get(VERSIONS[-1])
    with pytest.raises(StoreError, match=r"nowhere.*does not exist"):
        await Store.open(server.url("nowhere"))
    with pytest.raises(StoreError, match="cannot use the database") as caught:
        await Store.open("postgresql://someone:secret@127.0.0.1:1/quantcloud")
    assert "secret" not in str(caught.value)
    name = await server.create_database()
    await server.execute("CREATE TABLE songs (title TEXT)", name)
    with pytest.raises(StoreError, match="belongs to another program"):
        await Store.open(server.url(name))
    await server.drop_database(name)
    assert HEAD == "0010"


async def test_the_revision_of_a_postgres_is_read(servers: Servers):
    if not VERSIONS:
        pytest.skip("there is no PostgreSQL here")
    server = await servers.get(VERSIONS[-1])
    assert await revision_of_postgres(server.url("store")) == HEAD
    name = await server.create_database()
    revision = await revision_of_postgres(server.url(name))
    assert "`quantcloud migrate`, makes them" in difference(revision)
    await server.drop_database(name)
    away = r"cannot use the database postgresql://me:\*\*\*@127.0.0.1:1/quantcloud: "
    with pytest.raises(StoreError, match=away):
        await revision_of_postgres("postgresql://me:secret@127.0.0.1:1/quantcloud")
