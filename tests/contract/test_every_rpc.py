"""Each RPC over plain gRPC, on a whole server."""

from base64 import b64decode
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from quantcloud.domain.cursors import Cursors, Listing
from support.api import Api
from support.circuits import ASYMMETRIC, BELL, slow
from support.server import Server
from thequantcloud.v1 import (
    account_pb2,
    api_key_pb2,
    backend_pb2,
    circuit_pb2,
    job_pb2,
    status_pb2,
)

RUN = ("aer_simulator", "cirq_simulator", "local_simulator", "pennylane_simulator")
STORY = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]


def status_of(event: job_pb2.JobEvent) -> str:
    return job_pb2.Job.Status.Name(event.job.status)


def test_health_and_status_need_no_credentials(server: Server, ada: Api):
    health = ada.status.GetHealth(status_pb2.GetHealthRequest())
    assert health.status == "healthy"
    assert health.version
    status = ada.status.GetStatus(status_pb2.GetStatusRequest())
    assert status.status == status_pb2.GetStatusResponse.operational
    assert set(RUN) < set(status.backends)


def test_the_standard_health_service_serves(server: Server):
    health = health_pb2_grpc.HealthStub(server.channel)
    for service in ("", "thequantcloud.v1.JobService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_all_services(server: Server):
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = stub.ServerReflectionInfo(iter([request]))
    names = {service.name for service in answer.list_services_response.service}
    kinds = ("Account", "ApiKey", "Backend", "Circuit", "Job", "Status")
    assert {f"thequantcloud.v1.{kind}Service" for kind in kinds} < names


def test_backends(ada: Api):
    listed = ada.backends.ListBackends(backend_pb2.ListBackendsRequest())
    assert listed.count == len(listed.backends) == 5
    names = [backend.name for backend in listed.backends]
    assert names == sorted(names)
    one = ada.backends.GetBackend(backend_pb2.GetBackendRequest(name="aer_simulator"))
    assert (one.provider, one.num_qubits, one.is_simulator) == ("ibm", 25, True)


def test_api_keys(server: Server, ada: Api):
    made = ada.keys.CreateApiKey(
        api_key_pb2.CreateApiKeyRequest(name="my-laptop"), metadata=ada.metadata
    )
    assert made.key.startswith(made.key_prefix)
    by_key = Api(server.channel, server.rest, made.key)
    assert by_key.run(BELL)
    metadata = (("x-api-key", made.key),)
    assert ada.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=metadata).total >= 1
    listed = ada.keys.ListApiKeys(api_key_pb2.ListApiKeysRequest(), metadata=ada.metadata)
    (key,) = [key for key in listed.api_keys if key.id == made.id]
    assert key.HasField("last_used_at")
    assert made.key not in str(listed)
    ada.keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=made.id), metadata=ada.metadata)
    with pytest.raises(grpc.RpcError) as refused:
        by_key.run(BELL)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("backend", RUN)
def test_a_circuit_runs_and_all_its_events_are_sent(ada: Api, backend: str):
    job_id = ada.run(ASYMMETRIC, backend=backend, shots=100)
    events = list(ada.watch(job_id, with_result=True))
    assert [status_of(event) for event in events] == STORY
    assert [event.sequence for event in events] == list(range(1, 8))
    times = [event.occurred_at.ToNanoseconds() for event in events]
    assert times == sorted(times)
    last = events[-1]
    assert last.job.backend == last.result.backend == backend
    assert dict(last.result.counts) == {"001": 100}
    assert dict(last.result.probabilities) == {"001": 1.0}
    job = ada.jobs.GetJob(job_pb2.GetJobRequest(id=job_id), metadata=ada.metadata)
    assert "candidates" not in last.job.metadata["routing"]
    assert job.metadata["routing"]["candidates"]
    del job.metadata["routing"]["candidates"]
    assert job == last.job
    result = ada.jobs.GetJobResult(job_pb2.GetJobResultRequest(id=job_id), metadata=ada.metadata)
    assert result == last.result
    assert result.metadata["num_qubits"] == 3
    assert result.metadata["circuit_depth"] == 2
    assert result.metadata["gate_count"] == 4


def test_the_router_chooses_and_explains(ada: Api):
    last = ada.finish(ada.run(BELL))
    assert last.job.metadata["routing"]["reason"]
    routing = MessageToDict(ada.job(last.job.job_id).metadata)["routing"]
    assert routing["backend"] == last.job.backend
    assert routing["reason"] == last.job.metadata["routing"]["reason"]
    assert len(routing["candidates"]) == 5
    named = ada.finish(ada.run(BELL, backend="local_simulator"))
    routing = MessageToDict(ada.job(named.job.job_id).metadata)["routing"]
    assert [each["backend"] for each in routing["candidates"]] == ["local_simulator"]
    assert sum(last.result.counts.values()) == 1024
    assert set(last.result.counts) <= {"00", "11"}


def test_a_plan_says_what_a_run_would_do(ada: Api):
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="aer_simulator", shots=7)
    plan = ada.circuits.PlanCircuit(request, metadata=ada.metadata)
    assert (plan.backend, plan.shots) == ("aer_simulator", 7)
    assert plan.analysis.num_qubits == 2
    assert plan.analysis.circuit_depth == 3
    assert plan.analysis.gate_count == 4
    assert plan.analysis.is_clifford
    assert plan.queue_position == 1
    assert len(plan.candidates) == 5
    assert plan.candidates[0].backend == "aer_simulator"
    assert all(c.HasField("rejection") != c.HasField("method") for c in plan.candidates)


def test_jobs_are_listed_newest_first_by_status(server: Server):
    ada = server.api()
    ids = [ada.run(BELL) for _ in range(5)]
    for job_id in ids:
        ada.finish(job_id)
    page = ada.jobs.ListJobs(job_pb2.ListJobsRequest(limit=2, offset=1), metadata=ada.metadata)
    assert [job.job_id for job in page.jobs] == [ids[3], ids[2]]
    assert all("candidates" not in job.metadata["routing"] for job in page.jobs)
    assert (page.count, page.total, page.limit, page.offset) == (2, 5, 2, 1)
    request = job_pb2.ListJobsRequest(status=[job_pb2.Job.failed])
    assert ada.jobs.ListJobs(request, metadata=ada.metadata).total == 0
    request = job_pb2.ListJobsRequest(status_filter=job_pb2.Job.completed, limit=1000)
    found = ada.jobs.ListJobs(request, metadata=ada.metadata)
    assert (found.total, found.limit) == (5, 100)


def test_cancel_stops_queued_and_running_jobs(ada: Api):
    jobs = [ada.run(slow(), backend="aer_simulator", shots=1) for _ in range(4)]
    watches = {job: ada.watch(job) for job in jobs}
    for job in jobs[:2]:  # the number of the server's workers
        while status_of(next(watches[job])) != "running":
            pass
    for job in reversed(jobs):
        answer = ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
        assert (answer.job_id, answer.status) == (job, job_pb2.Job.cancelled)
    for job in jobs:
        *_, last = watches[job]
        assert status_of(last) == "cancelled"
        ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
    assert ada.finish(
        ada.run(BELL, backend="aer_simulator")
    ).result.counts  # the workers are free again


def test_watch_jobs_follows_the_whole_account(server: Server):
    ada = server.api()
    watch = ada.watch_all(after_cursor=ada.cursor(), with_result=True)
    jobs = [ada.run(BELL, backend="local_simulator") for _ in range(3)]
    responses = []
    while sum(len(response.events) for response in responses) < 3 * len(STORY):
        responses.append(next(watch))
    events = [event for response in responses for event in response.events]
    for job in jobs:
        mine = [event for event in events if event.job.job_id == job]
        assert [status_of(event) for event in mine] == STORY
        assert mine[-1].HasField("result")
    watch.cancel()
    # A watch that resumes after a message gets all later events and no earlier one.
    for number, response in enumerate(responses[:-1], 1):
        resumed = ada.watch_all(after_cursor=response.cursor)
        left = [event for response in responses[number:] for event in response.events]
        again: list[job_pb2.JobEvent] = []
        while len(again) < len(left):
            again += next(resumed).events
        resumed.cancel()
        assert [(e.job.job_id, e.sequence) for e in again] == [
            (e.job.job_id, e.sequence) for e in left
        ]


def test_a_listing_continues_where_a_page_ended(server: Server):
    ada = server.api()
    jobs = [ada.run(BELL, backend="local_simulator") for _ in range(5)]
    first = ada.jobs.ListJobs(job_pb2.ListJobsRequest(limit=2), metadata=ada.metadata)
    ada.run(BELL, backend="local_simulator")
    second = ada.rest("GET", f"/v1/jobs?limit=2&page_token={first.next_page_token}").json()
    rest = ada.rest("GET", f"/v1/jobs?limit=2&page_token={second['next_page_token']}").json()
    seen = [job.job_id for job in first.jobs]
    assert seen + [job["job_id"] for job in (*second["jobs"], *rest["jobs"])] == jobs[::-1]
    assert (rest["count"], rest["total"], rest["next_page_token"]) == (1, 6, None)
    both = ada.rest("GET", f"/v1/jobs?offset=1&page_token={first.next_page_token}")
    assert (both.status_code, both.json()["detail"]) == (
        400, "offset: is given with 'page_token'; send one of them",
    )  # fmt: skip
    for name in ("a", "b", "c"):
        saved = circuit_pb2.CreateCircuitRequest(name=name, qasm=BELL)
        ada.circuits.CreateCircuit(saved, metadata=ada.metadata)
    page = ada.rest("GET", "/v1/circuits?limit=2").json()
    request = circuit_pb2.ListCircuitsRequest(limit=2, page_token=page["next_page_token"])
    last = ada.circuits.ListCircuits(request, metadata=ada.metadata)
    assert [circuit["name"] for circuit in page["circuits"]] == ["c", "b"]
    assert [circuit.name for circuit in last.circuits] == ["a"]
    assert not last.HasField("next_page_token")
    whole = ada.rest("GET", "/v1/circuits?limit=3").json()
    assert (whole["count"], whole["next_page_token"]) == (3, None)
    wrong = ada.rest("GET", f"/v1/circuits?page_token={first.next_page_token}")
    assert wrong.status_code == 400
    assert wrong.json()["detail"].startswith("page_token: must be a next_page_token from")


def test_changed_and_foreign_cursors_are_refused(server: Server, ada: Api):
    cursor = ada.cursor()
    stranger = Cursors(b"another!").write(Listing.EVENTS, 3)
    epoch = b64decode(cursor + "=", altchars=b"-_")[1:9]
    beyond = Cursors(epoch).write(Listing.EVENTS, 1 << 60)
    for wrong, says in (
        ("0", "must be a cursor from a response"),
        (cursor[:-1], "must be a cursor from a response"),
        (cursor + "A", "must be a cursor from a response"),
        ("\u00e9" + cursor[1:], "must be a cursor from a response"),
        ("_" + cursor[1:], "must be a cursor from a response"),
        (stranger, "belongs to another database"),
        (beyond, "must be a cursor of this account"),
        (Cursors(epoch).write(Listing.EVENTS, -1), "must be a cursor of this account"),
        (Cursors(epoch).write(Listing.JOBS, 1, bytes(16)), "must be a cursor from a response"),
    ):
        with pytest.raises(grpc.RpcError) as refused:
            next(ada.watch_all(after_cursor=wrong))
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.value.details().startswith(f"after_cursor: {says}")
        info = error_details_pb2.ErrorInfo()
        assert rpc_status.from_call(refused.value).details[0].Unpack(info)
        assert info.reason == "INVALID_CURSOR"


def test_saved_circuits(ada: Api):
    made = ada.circuits.CreateCircuit(
        circuit_pb2.CreateCircuitRequest(name="My Bell State", qasm=BELL), metadata=ada.metadata
    )
    assert made.num_qubits == 2
    assert not made.HasField("code")
    got = ada.circuits.GetCircuit(circuit_pb2.GetCircuitRequest(id=made.id), metadata=ada.metadata)
    assert got == made
    changed = ada.circuits.UpdateCircuit(
        circuit_pb2.UpdateCircuitRequest(id=made.id, code="import quantsdk"),
        metadata=ada.metadata,
    )
    assert (changed.name, changed.code, changed.qasm) == ("My Bell State", "import quantsdk", BELL)
    listed = ada.circuits.ListCircuits(circuit_pb2.ListCircuitsRequest(), metadata=ada.metadata)
    assert [circuit.id for circuit in listed.circuits] == [made.id]
    ada.circuits.DeleteCircuit(circuit_pb2.DeleteCircuitRequest(id=made.id), metadata=ada.metadata)
    with pytest.raises(grpc.RpcError) as gone:
        ada.circuits.GetCircuit(circuit_pb2.GetCircuitRequest(id=made.id), metadata=ada.metadata)
    assert gone.value.code() is grpc.StatusCode.NOT_FOUND


def test_usage_and_profile(server: Server):
    ada = Api(server.channel, server.rest, server.token("ada@example.org"))
    profile = ada.account.GetProfile(account_pb2.GetProfileRequest(), metadata=ada.metadata)
    assert (profile.id, profile.email) == ("ada@example.org", "ada@example.org")
    assert profile.tier == account_pb2.Tier.explorer
    ada.finish(ada.run(BELL))
    usage = ada.account.GetUsage(account_pb2.GetUsageRequest(), metadata=ada.metadata)
    assert usage.current_month.total_jobs == 1
    assert usage.current_month.simulator_minutes == usage.simulator_minutes_used > 0
    assert usage.limits.max_shots == 10_000
    assert usage.credits_remaining_usd == 50


def test_a_drawing_has_the_analysis_and_the_errors_of_a_run(ada: Api):
    drawn = ada.circuits.DrawCircuit(
        circuit_pb2.DrawCircuitRequest(qasm=BELL), metadata=ada.metadata
    )
    assert drawn.svg.startswith("<svg")
    assert "┤ H ├" in drawn.text
    assert (drawn.analysis.num_qubits, drawn.hidden_qubits, drawn.hidden_instructions) == (2, 0, 0)
    wrong = "OPENQASM 2.0;\nqreg q[2];\nhh q[0];"
    refusals: list[tuple[str, dict[str, str]]] = []
    for call, request in [
        (ada.circuits.DrawCircuit, circuit_pb2.DrawCircuitRequest(qasm=wrong)),
        (ada.circuits.RunCircuit, circuit_pb2.RunCircuitRequest(qasm=wrong)),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=ada.metadata)
        status = rpc_status.from_call(refused.value)
        assert status is not None
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        refusals.append((status.message, dict(info.metadata)))
    assert refusals[0] == refusals[1]
    assert refusals[0][1] == {"line": "3", "column": "1"}


def test_a_sign_in_link_gives_a_token(tmp_path: Path):
    # A link lasts 10 minutes, so its server is new.
    with Server(tmp_path / "data", "--workers", "1") as server:
        code = server.endpoints.sign_in.partition("#sign-in=")[2]
        answer = server.api().account.SignIn(account_pb2.SignInRequest(code=code))
        operator = Api(server.channel, server.rest, answer.token)
        assert operator.rest("GET", "/v1/account/usage").json()["tier"] == "enterprise"
        again = server.post("/v1/auth/sign-in", {"code": code})
        assert again.status_code == 401
        assert again.json()["details"][0]["reason"] == "INVALID_SIGN_IN_CODE"
