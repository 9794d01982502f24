"""Queued jobs say what they wait for."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantcloud.domain.account import Tier
from quantcloud.domain.job import Job
from quantcloud.domain.outlook import Wait, WaitReason
from quantcloud.routing.explanation import predicted_memory
from quantcloud.services.queues import Waits
from quantcloud.settings import DEFAULT_TIERS
from unit.scheduling.test_ledger import MEMORY, NARROW, WIDE, Machine, machine  # noqa: F401
from unit.storage.builders import T0, new_job

SECONDS = 30.0


def job(account: str, memory: int) -> Job:
    candidates = [
        {"backend": "aer_simulator", "predicted_memory_bytes": 2 * MEMORY},
        {"backend": "cirq_simulator", "rejection": "it is offline"},
        {"backend": "local_simulator", "predicted_memory_bytes": memory},
    ]
    routing = {"backend": "local_simulator", "candidates": candidates}
    return new_job(account, predicted_seconds=SECONDS, metadata={"routing": routing})


async def submitted(machine: Machine, account: str, memory: int) -> Job:  # noqa: F811
    new = job(account, memory)
    await machine.submit(new, memory_bytes=memory, seconds=SECONDS)
    return new


async def waits(machine: Machine, *jobs: Job) -> list[Wait | None]:  # noqa: F811
    engine, limits = machine.engine, DEFAULT_TIERS.__getitem__
    found = Waits(machine.store, engine, machine.scheduler, lambda: T0, limits)
    now = [await machine.store.jobs.get(each.account_id, each.id) for each in jobs]
    told = await found.of(now)
    return [told.get(each.id) for each in jobs]


async def test_a_job_waits_for_the_memory_of_the_runs_in_progress(machine: Machine):  # noqa: F811
    held = await submitted(machine, "alice", WIDE)
    await machine.started(1)
    wide = await submitted(machine, "bob", WIDE)
    behind = await submitted(machine, "bob", NARROW)
    running, waiting, later = await waits(machine, held, wide, behind)
    assert running is None
    assert waiting is not None
    assert waiting.reason is WaitReason.MEMORY
    # Workers are free, but it starts when the other run ends.
    assert waiting.start == pytest.approx(T0 + timedelta(seconds=SECONDS), abs=timedelta(seconds=5))
    assert later is not None
    assert later.reason is WaitReason.TURN
    await machine.end(held)
    assert set(await machine.started(2)) == {wide.id, behind.id}
    assert await waits(machine, wide) == [None]


async def test_a_job_waits_for_a_worker_or_for_runs_of_its_account(machine: Machine):  # noqa: F811
    most = DEFAULT_TIERS[Tier.EXPLORER].max_concurrent_jobs
    own = [await submitted(machine, "alice", NARROW) for _ in range(most + 1)]
    await machine.started(most)
    (wait,) = await waits(machine, own[-1])
    assert wait is not None
    assert wait.reason is WaitReason.ACCOUNT
    others = [await submitted(machine, "bob", NARROW) for _ in range(2)]
    await machine.started(1)
    (wait,) = await waits(machine, others[-1])
    assert wait is not None
    assert wait.reason is WaitReason.WORKERS


def test_a_job_whose_plan_is_unknown_is_predicted_no_memory():
    for metadata in ({}, {"routing": {}}, {"routing": {"candidates": []}}):
        unknown = replace(job("alice", WIDE), metadata=metadata)
        assert predicted_memory(unknown) == 0
    assert predicted_memory(replace(job("alice", WIDE), backend="local_simulator")) == WIDE
