"""Circuits that take no time wait for nobody, wherever they are run."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.server import Server
from thequantcloud.v1 import account_pb2, circuit_pb2, job_pb2

WORKERS = 2


def keep_busy(api: Api) -> list[str]:
    """Give every worker something to do for as long as nobody cancels it."""
    jobs = [api.run(slow(), backend="aer_simulator", shots=1) for _ in range(WORKERS)]
    for job in jobs:
        api.until(job, job_pb2.Job.running)
    return jobs


def cancel(api: Api, jobs: list[str]) -> None:
    for job in jobs:
        api.cancel(job)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory):
    """A server whose own process runs no circuit."""
    data = tmp_path_factory.mktemp("elsewhere") / "data"
    options = ("--workers", str(WORKERS))
    with Server(data, *options, QUANTCLOUD_RUN_AT_ONCE="false") as server:
        yield server


def test_a_small_circuit_is_over_when_its_submission_is_answered(tmp_path: Path):
    with Server(tmp_path / "data", "--workers", str(WORKERS)) as server:
        ada, bob = server.api(), server.api()
        busy = keep_busy(ada)
        for api in (ada, bob):
            job = api.run(BELL, shots=100)
            assert api.job(job).status == job_pb2.Job.completed
            events = list(api.watch(job, with_result=True))
            assert [event.sequence for event in events] == [*range(1, 8)]
            assert [event.job.status for event in events] == [*range(1, 8)]
            times = [event.occurred_at.ToNanoseconds() for event in events]
            assert times == sorted(times)
            (last,) = (event for event in events if event.HasField("result"))
            assert last.job.backend == "local_simulator"
            assert sum(last.result.counts.values()) == 100
            assert last.job.metadata["routing"]["actual_seconds"] > 0
        assert {ada.job(job).status for job in busy} == {job_pb2.Job.running}
        used = bob.account.GetUsage(account_pb2.GetUsageRequest(), metadata=bob.metadata)
        assert used.current_month.total_jobs == 1
        assert 0 < used.current_month.simulator_minutes < 0.001
        cancel(ada, busy)


def test_a_server_may_leave_every_circuit_to_its_workers(elsewhere: Server, server: Server):
    here, there = server.api(), elsewhere.api()
    options = {"seed": 7}
    counts = [
        dict(api.finish(api.run(BELL, backend="local_simulator", options=options)).result.counts)
        for api in (here, there)
    ]
    assert counts[0] == counts[1]
    busy = keep_busy(there)
    job = there.run(BELL)
    assert there.job(job).status == job_pb2.Job.queued
    cancel(there, busy)
    assert sum(there.finish(job).result.counts.values()) == 1024


def test_where_a_tier_may_run_nothing_nothing_is_run(tmp_path: Path):
    tiers = json.dumps({"explorer": {"max_concurrent_jobs": 0}})
    with Server(tmp_path / "data", "--no-envoy", QUANTCLOUD_TIERS=tiers) as server:
        ada, bob = server.api("explorer"), server.api("developer")
        waits = ada.run(BELL)
        assert bob.finish(bob.run(BELL)).job.status == job_pb2.Job.completed
        assert ada.job(waits).status == job_pb2.Job.queued


def test_a_hundred_at_once_have_each_their_own_counts(server: Server):
    ada, eve = server.api(), server.api()
    busy = keep_busy(eve)

    def run(shots: int) -> int:
        *_, last = ada.run_and_watch(BELL, shots=shots)
        assert last.job.backend == "local_simulator"
        assert set(last.result.counts) <= {"00", "11"}
        return sum(last.result.counts.values())

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(run, range(1, 301))) == [*range(1, 301)]
    page = ada.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=ada.metadata)
    assert page.total == 300
    assert {eve.job(job).status for job in busy} == {job_pb2.Job.running}
    cancel(eve, busy)


def test_what_is_refused_together_was_not_run(elsewhere: Server, server: Server):
    """A batch that is too large for its account costs no run, here or there."""
    for which in (elsewhere, server):
        eve = which.newcomer()
        run = circuit_pb2.RunCircuitRequest(qasm=BELL)
        with pytest.raises(grpc.RpcError) as refused:
            eve.circuits.RunCircuits(
                circuit_pb2.RunCircuitsRequest(circuits=[run] * 101), metadata=eve.metadata
            )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "0 jobs are waiting, 101 more are requested" in str(refused.value.details())


def test_a_circuit_that_is_not_read_here_waits_where_the_plan_says(server: Server):
    ada = server.api()
    busy = keep_busy(ada)
    longer = BELL + "//" + " " * 5000
    waits = ada.run(longer, backend="local_simulator")
    plans = [
        ada.circuits.PlanCircuit(
            circuit_pb2.RunCircuitRequest(qasm=qasm, backend="local_simulator"),
            metadata=ada.metadata,
        )
        for qasm in (BELL, longer)
    ]
    assert [plan.queue_position for plan in plans] == [1, 2]
    assert ada.job(waits).status == job_pb2.Job.queued
    cancel(ada, busy)
    assert sum(ada.finish(waits).result.counts.values()) == 1024
