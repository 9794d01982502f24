"""The times of a job's events never go back, even if the server's clock does."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest
from pydantic import SecretStr

from quantcloud.app import Application
from quantcloud.settings import Settings
from support.circuits import BELL
from support.server import SECRET, newcomers_token
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc


class Clock:
    """A clock that goes back by a millisecond each time it is read."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)

    def __call__(self) -> datetime:
        self._now -= timedelta(milliseconds=1)
        return self._now


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    application = Application(
        Settings(
            data_dir=tmp_path, envoy=False, grpc_port=0, workers=1, jwt_secret=SecretStr(SECRET)
        ),
        clock=Clock(),
    )
    endpoints = await application.start()
    try:
        async with grpc.aio.insecure_channel(endpoints.grpc) as opened:
            yield opened
    finally:
        await application.stop(0)


def check(events: Sequence[job_pb2.JobEvent]) -> None:
    times = [event.occurred_at.ToNanoseconds() for event in events]
    assert times == sorted(times)
    job = events[-1].job
    assert job.status == job_pb2.Job.completed
    by_status = {event.job.status: event.occurred_at for event in events}
    assert job.submitted_at == by_status[job_pb2.Job.submitted]
    assert job.started_at == by_status[job_pb2.Job.running]
    assert job.completed_at == by_status[job_pb2.Job.completed]


@pytest.mark.parametrize("backend", ["local_simulator", "aer_simulator"])
async def test_times_do_not_go_back_with_the_clock(channel: grpc.aio.Channel, backend: str):
    """`local_simulator` runs a Bell circuit in the serving process, `aer_simulator` in a worker."""
    circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
    jobs = job_pb2_grpc.JobServiceStub(channel)
    metadata = (("authorization", f"Bearer {newcomers_token()}"),)
    run = circuit_pb2.RunCircuitRequest(qasm=BELL, backend=backend)

    one = await circuits.RunCircuit(run, metadata=metadata)
    batch = circuit_pb2.RunCircuitsRequest(circuits=[run, run])
    several = await circuits.RunCircuits(batch, metadata=metadata)
    watched = [event async for event in circuits.RunAndWatch(run, metadata=metadata)]
    times = [event.occurred_at.ToNanoseconds() for event in watched]
    assert times == sorted(times)

    jobs_run = [one.job_id, *(job.job_id for job in several.jobs), watched[-1].job.job_id]
    for job_id in jobs_run:
        request = job_pb2.WatchJobRequest(id=job_id, after_sequence=0)
        check([event async for event in jobs.WatchJob(request, metadata=metadata)])
