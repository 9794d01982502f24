"""Very small circuits do not wait in a queue, because the server runs them at submission."""

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
    """Keep all workers busy until their jobs are cancelled; return the jobs."""
    jobs = [api.run(slow(), backend="aer_simulator", shots=1) for _ in range(WORKERS)]
    for job in jobs:
        api.until(job, job_pb2.Job.running)
    return jobs


def cancel(api: Api, jobs: list[str]) -> None:
    for job in jobs:
        api.cancel(job)


@pytest.fixture(scope="module")
def workers_only(tmp_path_factory: pytest.TempPathFactory):
    """A server that runs all circuits in workers."""
    data = tmp_path_factory.mktemp("workers_only") / "data"
    options = ("--workers", str(WORKERS), "--no-envoy")
    with Server(data, *options, QUANTCLOUD_RUN_INLINE="false") as server:
        yield server


def test_a_small_circuit_is_completed_when_its_submission_returns(tmp_path: Path):
    with Server(tmp_path / "data", "--workers", str(WORKERS), "--no-envoy") as server:
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


def test_the_setting_sends_all_circuits_to_workers(workers_only: Server, server: Server):
    here, there = server.api(), workers_only.api()
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


def test_a_tier_without_concurrent_jobs_runs_nothing(tmp_path: Path):
    tiers = json.dumps({"explorer": {"max_concurrent_jobs": 0}})
    with Server(tmp_path / "data", "--no-envoy", QUANTCLOUD_TIERS=tiers) as server:
        ada, bob = server.api("explorer"), server.api("developer")
        waits = ada.run(BELL)
        assert bob.finish(bob.run(BELL)).job.status == job_pb2.Job.completed
        assert ada.job(waits).status == job_pb2.Job.queued


def test_a_hundred_concurrent_runs_each_get_their_own_counts(server: Server):
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


def test_a_refused_batch_is_not_run(workers_only: Server, server: Server):
    for which in (workers_only, server):
        eve = which.newcomer()
        run = circuit_pb2.RunCircuitRequest(qasm=BELL)
        with pytest.raises(grpc.RpcError) as refused:
            eve.circuits.RunCircuits(
                circuit_pb2.RunCircuitsRequest(circuits=[run] * 101), metadata=eve.metadata
            )
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert "0 jobs are waiting, 101 more are requested" in str(refused.value.details())


def test_a_circuit_that_a_worker_parses_waits_at_the_planned_place(server: Server):
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
