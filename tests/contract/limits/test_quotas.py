"""Monthly quotas on a whole server, with a clock that the tests set."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from pydantic import SecretStr

from quantcloud.app import Application
from quantcloud.auth.tokens.jwt import Issuer, issue
from quantcloud.domain.account import Tier
from quantcloud.settings import Settings
from support.api import Api
from support.circuits import BELL, slow
from support.packages import install
from support.server import SECRET, Server
from thequantcloud.v1 import (
    account_pb2,
    account_pb2_grpc,
    circuit_pb2,
    circuit_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
)

HERE = Path(__file__).parent
DENIED = grpc.StatusCode.PERMISSION_DENIED


class Clock:
    now = datetime(2025, 1, 31, 23, 59, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Client:
    """A new explorer account on a server in this process."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        token = issue(Issuer(SECRET, "authenticated"), f"user-{uuid.uuid4()}",
                      now=datetime.now(UTC), lifetime=timedelta(hours=1))  # fmt: skip
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.jobs = job_pb2_grpc.JobServiceStub(channel)
        self.account = account_pb2_grpc.AccountServiceStub(channel)

    async def submit(self, qasm: str = BELL) -> str:
        """Submit a circuit and return the job's id."""
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend="local_simulator")
        return (await self.circuits.RunCircuit(request, metadata=self.metadata)).job_id

    async def until(self, job: str, *statuses: job_pb2.Job.Status) -> job_pb2.JobEvent:
        """Watch a job until it has one of `statuses`, or ends; return the last event."""
        request = job_pb2.WatchJobRequest(id=job, after_sequence=0)
        watch = self.jobs.WatchJob(request, metadata=self.metadata)
        event = job_pb2.JobEvent()
        async for event in watch:
            if event.job.status in statuses:
                watch.cancel()
                break
        return event

    async def run(self, qasm: str = BELL) -> job_pb2.JobEvent:
        """Run a circuit to its end and return the last event."""
        return await self.until(await self.submit(qasm))

    async def usage(self) -> account_pb2.GetUsageResponse:
        request = account_pb2.GetUsageRequest()
        return await self.account.GetUsage(request, metadata=self.metadata)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def ada(tmp_path: Path, clock: Clock) -> AsyncIterator[Client]:
    """A client of a server whose explorers have 1 µs on simulators a month, and 20 s per run."""
    application = Application(
        Settings(
            data_dir=tmp_path, envoy=False, grpc_port=0, workers=1, jwt_secret=SecretStr(SECRET),
            tiers={
                Tier.EXPLORER: {
                    "simulator_minutes": 1e-6 / 60, "requests_per_minute": 8, "job_seconds": 20,
                }
            },
        ),
        clock=clock,
    )  # fmt: skip
    endpoints = await application.start()
    try:
        async with grpc.aio.insecure_channel(endpoints.grpc) as channel:
            yield Client(channel)
    finally:
        await application.stop(0)


async def test_quotas_and_rate_limits_reset(ada: Client, clock: Clock):
    assert (await ada.run()).job.status == job_pb2.Job.completed  # two requests
    used = await ada.usage()
    assert used.current_month.total_jobs == 1
    assert used.simulator_minutes_used > used.simulator_minutes_limit > 0
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ada.run()
    assert refused.value.code() is DENIED
    assert refused.value.details() == (
        "simulator_minutes: the month's 1.66667e-08 minutes are used up, and a job needs more "
        "than 0; it resets at 2025-02-01T00:00:00Z"
    )
    clock.now += timedelta(seconds=59)  # still January, still the same window
    for _ in range(4):
        assert (await ada.usage()).current_month.total_jobs == 1
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ada.usage()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "try again in 1 s" in (refused.value.details() or "")
    clock.now += timedelta(seconds=1.000001)  # both are over
    used = await ada.usage()
    assert used.current_month == account_pb2.MonthlyUsage(
        simulator_limit=used.simulator_minutes_limit, qpu_limit=10
    )
    assert (await ada.run()).job.status == job_pb2.Job.completed
    assert (await ada.usage()).current_month.total_jobs == 1


async def test_a_job_does_not_run_if_the_quota_is_used_up_while_it_waits(ada: Client):
    # It keeps the only worker busy until all the others wait.
    other = Client(ada.channel)
    before = await other.submit(slow(20))
    await other.until(before, job_pb2.Job.running)
    # Not short jobs, because a worker takes several of those at once.
    jobs = await asyncio.gather(*(ada.submit(slow(18, 20)) for _ in range(3)))
    await other.jobs.CancelJob(job_pb2.CancelJobRequest(id=before), metadata=other.metadata)
    ends = await asyncio.gather(*map(ada.until, jobs))
    assert sorted(event.job.status for event in ends) == [
        job_pb2.Job.completed,
        job_pb2.Job.failed,
        job_pb2.Job.failed,
    ]
    (why,) = {event.job.error_message for event in ends if event.job.error_message}
    assert "while the job waited" in why
    assert "2025-02-01T00:00:00Z" in why


async def test_a_cancelled_run_is_charged_at_most_its_time_limit(ada: Client, clock: Clock):
    job = await ada.submit(slow(20))
    await ada.until(job, job_pb2.Job.running)
    clock.now += timedelta(seconds=59)
    await ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
    assert (await ada.usage()).simulator_minutes_used == pytest.approx(20 / 60)


@pytest.fixture(scope="module")
def hardware(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with quantum hardware that costs a cent per shot."""
    folder = tmp_path_factory.mktemp("hardware")
    source = (HERE / "pretend_qpu.py").read_text()
    install(folder / "site", "pretend_qpu", source, {"qpu": "pretend_qpu:BACKEND"})
    with Server(
        folder / "data", "--workers", "2", "--no-envoy", PYTHONPATH=str(folder / "site")
    ) as running:
        yield running


def submit(api: Api, number: int, **fields: Any) -> list[Any]:
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, **{"backend": "qpu", "shots": 1, **fields})
    calls = [api.circuits.RunCircuit.future(request, metadata=api.metadata) for _ in range(number)]
    assert all(call.code() for call in calls)
    return calls


def month(api: Api) -> tuple[int, float]:
    used = api.account.GetUsage(account_pb2.GetUsageRequest(), metadata=api.metadata)
    assert used.credits_remaining_usd == pytest.approx(50 - used.current_month.total_cost_usd)
    return used.qpu_tasks_used, round(used.current_month.total_cost_usd, 6)


def test_of_fifty_concurrent_submissions_for_the_last_task_one_is_accepted(hardware: Server):
    ada = hardware.newcomer()
    assert {call.code() for call in submit(ada, 9)} == {grpc.StatusCode.OK}
    calls = submit(ada, 50)
    assert Counter(call.code() for call in calls) == {grpc.StatusCode.OK: 1, DENIED: 49}
    refused = {call.details() for call in calls if call.code() is DENIED}
    assert len(refused) == 1
    assert "qpu_tasks: 10 of the month's 10 tasks" in refused.pop()
    for call in calls:
        if call.code() is grpc.StatusCode.OK:
            last = ada.finish(call.result().job_id)
            assert (last.job.backend, dict(last.result.counts)) == ("qpu", {"00": 1})
    assert month(ada) == (10, 0.1)
    # The router chooses a simulator when no task is left.
    event = ada.finish(ada.run(BELL, optimize_for=3, shots=1))
    assert event.job.status == job_pb2.Job.completed
    assert event.job.backend != "qpu"


def test_credits_are_charged_at_submission_and_refunded_without_a_run(hardware: Server):
    ada = hardware.newcomer()
    calls = submit(ada, 5, shots=2_400)
    assert Counter(call.code() for call in calls) == {grpc.StatusCode.OK: 2, DENIED: 3}
    refused = next(call for call in calls if call.code() is DENIED)
    assert "of the month's $50.00 of credits are used, this job costs $24.00" in refused.details()
    assert month(ada) == (2, 48.0)
    breaks_it = {"memory": True}
    (call,) = submit(ada, 1, shots=100, options=breaks_it)
    assert ada.finish(call.result().job_id).job.status == job_pb2.Job.failed
    assert month(ada) == (2, 48.0)
    # Hardware uses no simulator time.
    used = ada.account.GetUsage(account_pb2.GetUsageRequest(), metadata=ada.metadata)
    assert used.simulator_minutes_used == 0


def test_a_cancelled_run_is_charged_for_its_run_time(hardware: Server):
    ada = hardware.newcomer()
    job = ada.run(slow(), backend="aer_simulator", shots=1)
    ada.until(job, job_pb2.Job.running)
    ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
    (*_, last) = ada.watch(job)
    ran = last.job.completed_at.ToDatetime() - last.job.started_at.ToDatetime()
    used = ada.account.GetUsage(account_pb2.GetUsageRequest(), metadata=ada.metadata)
    assert used.simulator_minutes_used == pytest.approx(ran.total_seconds() / 60)
    assert used.simulator_minutes_used > 0
