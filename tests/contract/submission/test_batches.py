"""Several circuits in one submission: all or none."""

import uuid

import grpc
import pytest

from support.api import Api
from support.circuits import ASYMMETRIC, BELL, HEADER
from support.server import Server
from thequantcloud.v1 import account_pb2, circuit_pb2, job_pb2

Run = circuit_pb2.RunCircuitRequest
INVALID, DENIED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.PERMISSION_DENIED


def run_all(api: Api, *circuits: Run) -> circuit_pb2.RunCircuitsResponse:
    request = circuit_pb2.RunCircuitsRequest(circuits=circuits)
    return api.circuits.RunCircuits(request, metadata=api.metadata)


def jobs_of(api: Api) -> int:
    return api.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=api.metadata).total


def test_each_circuit_is_a_job(server: Server):
    ada = server.api()
    batch = run_all(
        ada, Run(qasm=ASYMMETRIC, shots=7), Run(circuit_qasm=BELL, backend="cirq_simulator")
    )
    assert batch.count == len(batch.jobs) == 2
    assert len({batch.batch_id, *(job.job_id for job in batch.jobs)}) == 3
    first, second = (ada.finish(job.job_id) for job in batch.jobs)
    assert first.result.counts == {"001": 7}
    assert (second.job.backend, sum(second.result.counts.values())) == ("cirq_simulator", 1024)
    assert first.job.batch_id == second.job.batch_id == batch.batch_id
    usage = ada.account.GetUsage(account_pb2.GetUsageRequest(), metadata=ada.metadata)
    assert usage.current_month.total_jobs == 2


def test_one_bad_circuit_refuses_the_batch_and_is_named(server: Server):
    ada = server.api(tier="explorer")
    for bad, where in (
        (Run(qasm=HEADER + "qreg q[1];\nhh q[0];"), "circuits[1].qasm: line 4, column 1: "),
        (Run(qasm=BELL, backend="nowhere"), "circuits[1].backend: 'nowhere' is unknown"),
        (Run(qasm=BELL, options={"seed": -1}), "circuits[1].options.seed: "),
        (Run(qasm=BELL, shots=10_001), "circuits[1]: shots: 10001 requested"),
        (Run(), "circuits[1].qasm: is empty"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            run_all(ada, Run(qasm=BELL), bad, Run(qasm=BELL))
        assert refused.value.code() is (DENIED if bad.shots else INVALID)
        assert (refused.value.details() or "").startswith(where), refused.value.details()
    assert jobs_of(ada) == 0


@pytest.mark.parametrize("number", [0, 1001])
def test_a_batch_has_1_to_1000_circuits(server: Server, number: int):
    with pytest.raises(grpc.RpcError) as refused:
        run_all(server.api(), *[Run(qasm=BELL)] * number)
    assert refused.value.code() is INVALID
    assert refused.value.details() == f"circuits: must have 1 to 1000 items, has {number}"


def test_quotas_apply_to_the_whole_batch(server: Server):
    ada = server.api(tier="explorer")
    with pytest.raises(grpc.RpcError) as refused:
        run_all(ada, *[Run(qasm=BELL)] * 101)
    assert refused.value.code() is DENIED
    assert "0 jobs are waiting, 101 more are requested and the limit is 100" in str(
        refused.value.details()
    )
    assert jobs_of(ada) == 0
    assert run_all(ada, *[Run(qasm=BELL)] * 100).count == 100


def test_one_watch_follows_only_the_batch(server: Server):
    ada = server.api()
    ada.finish(ada.run(BELL))
    batch = run_all(ada, *[Run(qasm=BELL, shots=n) for n in range(1, 31)])
    ada.run(BELL)
    request = job_pb2.WatchJobsRequest(
        after_cursor=batch.cursor,
        batch_id=batch.batch_id,
        status=[job_pb2.Job.submitted, job_pb2.Job.completed],
        with_result=True,
    )
    submitted: list[str] = []
    shots: dict[str, int] = {}
    watch = ada.jobs.WatchJobs(request, metadata=ada.metadata, timeout=60)
    for response in watch:
        for event in response.events:
            if event.job.status == job_pb2.Job.submitted:
                submitted.append(event.job.job_id)
            elif event.job.status == job_pb2.Job.completed:
                shots[event.job.job_id] = sum(event.result.counts.values())
        if len(shots) == 30:
            break
    watch.cancel()
    assert submitted == [job.job_id for job in batch.jobs]
    assert [shots[job.job_id] for job in batch.jobs] == [*range(1, 31)]


@pytest.mark.parametrize("whose", ["nobody's", "another's"])
def test_a_watch_of_a_batch_that_one_does_not_have_is_refused(server: Server, whose: str):
    ada, eve = server.api(), server.api()
    batch = run_all(eve, Run(qasm=BELL)).batch_id if whose == "another's" else str(uuid.uuid4())
    for after in (None, ada.cursor()):
        with pytest.raises(grpc.RpcError) as refused:
            next(ada.watch_all(batch_id=batch, after_cursor=after))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert refused.value.details() == f"batch '{batch}' not found"
    path = f"/v1/jobs/events?batch_id={batch}"
    for headers in ({}, {"Accept": "text/event-stream"}):
        answer = ada.rest("GET", path, headers=headers)
        assert answer.status_code == 404
        assert answer.json()["details"][0]["reason"] == "BATCH_NOT_FOUND"
        assert answer.json()["details"][0]["metadata"]["id"] == batch


def test_a_watch_groups_many_events_in_few_messages(server: Server):
    ada = server.api()
    # A result of 4,096 outcomes, most of which have one shot.
    wide = HEADER + "qreg q[12]; creg c[12]; h q; measure q -> c;"
    circuits = [Run(qasm=wide, shots=20_000), *[Run(qasm=BELL)] * 100]
    batch = run_all(ada, *circuits)
    for job in batch.jobs:
        ada.finish(job.job_id)
    query = (
        f"after_cursor={batch.cursor}&batch_id={batch.batch_id}&with_result=true"
        "&status=submitted&status=completed"
    )
    over_grpc = ada.watch_all(
        after_cursor=batch.cursor,
        batch_id=batch.batch_id,
        status=[job_pb2.Job.submitted, job_pb2.Job.completed],
        with_result=True,
    )
    for messages in (over_grpc, ada.events(f"/v1/jobs/events?{query}")):
        events: list[job_pb2.JobEvent] = []
        for number, message in enumerate(messages, 1):  # noqa: B007  # counts the messages
            events += message.events
            if len(events) == 2 * len(circuits):
                break
        assert number <= 4 + len(events) // 64
        assert {event.job.job_id for event in events} == {job.job_id for job in batch.jobs}
        assert sum(len(event.result.counts) > 3500 for event in events) == 1
        assert sum(sum(event.result.counts.values()) for event in events) == 20_000 + 100 * 1024


def test_over_rest(server: Server):
    ada = server.api(tier="explorer")
    answer = ada.rest("POST", "/v1/circuits/run-batch", {"circuits": [{"qasm": BELL}] * 3})
    assert answer.status_code == 202
    body = answer.json()
    assert (body["count"], len(body["jobs"])) == (3, 3)
    assert body["jobs"][0]["backend"] is None
    job = ada.rest("GET", f"/v1/jobs/{body['jobs'][2]['job_id']}").json()
    assert job["batch_id"] == body["batch_id"]
    refused = ada.rest("POST", "/v1/circuits/run-batch", {"circuits": [{"qasm": BELL}, {}]})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("circuits[1].qasm: is empty")
    assert ada.rest("GET", "/v1/circuits/run-batch").status_code == 405
