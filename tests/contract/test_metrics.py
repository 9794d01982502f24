"""What an operator's metrics show of calls, jobs, workers and refusals."""

import re
import uuid

import grpc
import httpx
import pytest

from support.api import Api
from support.circuits import BELL
from support.server import Server
from thequantcloud.v1 import job_pb2


def scrape(server: Server) -> dict[str, float]:
    """Return the samples by name and labels."""
    answer = httpx.get(f"{server.endpoints.admin}/metrics", timeout=30)
    assert answer.status_code == 200
    rows = [line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in rows}


def total(samples: dict[str, float], name: str, **labels: str) -> float:
    """Return the sum of the samples with these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        value
        for sample, value in samples.items()
        if re.split(r"[{]", sample)[0] == f"quantcloud_{name}"
        and all(each in sample for each in wanted)
    )


def test_jobs_and_calls_are_counted(server: Server):
    api = server.api()
    before = scrape(server)
    for backend in ("local_simulator", "aer_simulator"):
        api.finish(api.run(BELL, backend=backend))
    after = scrape(server)

    def grew(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    for backend in ("local_simulator", "aer_simulator"):
        assert grew("jobs_submitted_total", backend=backend, tier="enterprise") == 1
        assert grew("jobs_ended_total", backend=backend, status="completed") == 1
        assert grew("job_seconds_count", backend=backend) == 1
    assert grew("jobs_submitted_total", placement="inline") == 1
    run = "/thequantcloud.v1.CircuitService/RunCircuit"
    assert grew("rpcs_started_total", method=run) == 2
    assert grew("rpc_seconds_count", method=run, code="OK") == 2
    assert grew("commit_units_count") > 0
    assert grew("commit_seconds_count", part="commit") > 0
    assert grew("event_lag_seconds_count") > 0
    assert grew("prediction_ratio_count", backend="aer_simulator") == 1
    assert total(after, "workers", role="execution") == 2
    assert total(after, "ready") == 1


def test_open_streams_and_queues_are_shown(server: Server):
    api = server.api()
    watch = api.watch_all()
    next(watch)
    method = "/thequantcloud.v1.JobService/WatchJobs"
    open_before = total(scrape(server), "open_streams", method=method)
    assert open_before >= 1
    watch.cancel()
    with pytest.raises(grpc.RpcError):
        next(watch)


def test_refusals_are_counted_by_reason(server: Server):
    before = scrape(server)
    assert server.get("/v1/jobs", headers={"X-API-Key": "qc_live_wrong"}).status_code == 401
    api = server.api()
    with pytest.raises(grpc.RpcError):
        api.job(str(uuid.uuid4()))
    after = scrape(server)
    for reason in ("INVALID_API_KEY", "JOB_NOT_FOUND"):
        grew = total(after, "refusals_total", reason=reason) - total(
            before, "refusals_total", reason=reason
        )
        assert grew == 1


def test_no_label_names_an_account_or_a_job(server: Server):
    api: Api = server.api()
    job = api.run(BELL)
    assert api.finish(job).job.status == job_pb2.Job.completed
    text = httpx.get(f"{server.endpoints.admin}/metrics", timeout=30).text
    assert job not in text
    assert "user-" not in text
