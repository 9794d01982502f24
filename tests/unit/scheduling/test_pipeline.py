"""A job is routed to what its account was charged for at its submission, and to nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.backends.fleet import Fleet
from quantcloud.backends.local import BACKEND as LOCAL
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.job import JobStatus, OptimizationTarget
from quantcloud.routing.method import Method
from quantcloud.scheduling.pipeline import Pipeline
from quantcloud.storage import Store
from unit.storage.builders import T0, submit


class Hardware:
    """Always the fastest; `cost` in dollars a shot."""

    def __init__(self, cost: float) -> None:
        self.info = BackendInfo(
            "qpu", "tests", 5, (), "Pretends.", is_simulator=False, cost_per_shot=cost
        )

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("hardware", memory_bytes=1, seconds=0.0)]

    def executor(self):
        raise AssertionError("nothing runs here")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("cost", "reserved", "backend"),
    [
        (0.0, {}, "local_simulator"),
        (0.01, {}, "local_simulator"),
        (0.01, {"reserved_qpu_tasks": 1, "reserved_cost_usd": 0.1}, "local_simulator"),
        (0.01, {"reserved_qpu_tasks": 1, "reserved_cost_usd": 10.24}, "qpu"),
        (0.0, {"reserved_qpu_tasks": 1}, "qpu"),
    ],
)
async def test_a_job_gets_what_it_was_charged_for(
    store: Store, cost: float, reserved: dict[str, float], backend: str
):
    job = await submit(store, optimize_for=OptimizationTarget.SPEED, **reserved)
    fleet = Fleet({"local_simulator": LOCAL, "qpu": Hardware(cost)}, memory_limit=1 << 30)
    await Pipeline(store, fleet, lambda: T0).route(job)
    routed = await store.jobs.get("alice", job.id)
    assert (routed.status, routed.backend) == (JobStatus.QUEUED, backend)


async def test_a_named_backend_that_was_not_charged_for_is_not_run_on(store: Store):
    job = await submit(store, requested_backend="qpu")
    fleet = Fleet({"local_simulator": LOCAL, "qpu": Hardware(0.0)}, memory_limit=1 << 30)
    await Pipeline(store, fleet, lambda: T0).route(job)
    routed = await store.jobs.get("alice", job.id)
    assert routed.status is JobStatus.FAILED
    assert "has no task left" in (routed.error_message or "")
