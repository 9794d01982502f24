"""When a server reports that it cannot take jobs, and how little it probes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from quantcloud.domain.errors import Damaged, DomainError, Unavailable
from quantcloud.services import health as subject
from quantcloud.services.health import Health
from quantcloud.storage import Store
from unit.storage.builders import T0, submit


class Engine:
    trouble: str | None = None


class World:
    """A store, an engine, and the number of probes of the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.engine = Engine()
        self.probes = 0
        self.failure: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()
        self.claims: DomainError | None = None
        self.notifications: asyncio.Queue[bool] = asyncio.Queue()
        self.health = Health(
            store, cast("Any", self.engine), probe=self.probe, claims=lambda: self.claims
        )

    async def probe(self) -> None:
        self.probes += 1
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        await self.store.leases.heartbeat("server-1", T0)

    async def reason(self) -> str:
        """Wait until the server cannot take jobs, and return why."""
        assert await self.notifications.get() is False
        problem = self.health.problem
        assert problem is not None
        return problem.reason


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(subject, "_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(subject, "_PROBE_TIMEOUT_SECONDS", 0.2)
    store = await Store.open(tmp_path / "store.db")
    world = World(store)
    world.health.subscribe(world.notifications.put_nowait)
    assert await world.notifications.get() is True
    world.health.start()
    yield world
    await world.health.stop()
    await store.close()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Unavailable("full", reason="DISK_FULL"), "DISK_FULL"),
        (Damaged("damaged", reason="STORE_DAMAGED"), "STORE_DAMAGED"),
        (RuntimeError("what nobody foresaw"), "STORE_UNAVAILABLE"),
    ],
)
async def test_a_failed_write_is_a_problem(world: World, failure: Exception, reason: str):
    world.failure = failure
    assert await world.reason() == reason
    world.failure = None
    assert await world.notifications.get() is True
    assert world.health.problem is None


async def test_a_hanging_write_is_a_problem(world: World):
    world.answers.clear()
    assert await world.reason() == "STORE_UNAVAILABLE"
    world.answers.set()
    assert await world.notifications.get() is True


async def test_there_is_no_probe_after_other_writes(world: World, monkeypatch: pytest.MonkeyPatch):
    await world.health.stop()
    monkeypatch.setattr(subject, "_INTERVAL_SECONDS", 600.0)
    await submit(world.store)
    probed = world.probes
    assert await world.health._check() is None
    assert world.probes == probed


async def test_a_probe_that_waits_for_other_writes_is_no_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    await world.health.stop()
    monkeypatch.setattr(subject, "_INTERVAL_SECONDS", 0.0)
    world.answers.clear()
    looking = asyncio.create_task(world.health._check())
    await submit(world.store)
    assert await looking is None


async def test_trouble_of_the_engine_is_a_problem(world: World):
    world.engine.trouble = "no worker can be started"
    assert await world.reason() == "ENGINE_UNAVAILABLE"
    world.engine.trouble = None
    assert await world.notifications.get() is True


async def test_a_scheduler_that_cannot_claim_is_a_problem(world: World):
    world.claims = Damaged("damaged", reason="STORE_DAMAGED")
    assert await world.reason() == "STORE_DAMAGED"


async def test_a_drain_is_final(world: World):
    world.health.drain()
    assert await world.reason() == "SERVER_DRAINING"
    world.engine.trouble = "no worker can be started"
    world.engine.trouble = None
    assert world.health.problem is not None
