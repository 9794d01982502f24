"""Every public method of the `CloudClient` of the Python SDK on PyPI, against a real server."""

import inspect
from collections.abc import Iterator

import pytest
from quantsdk import Circuit
from quantsdk.cloud import (
    AuthenticationError,
    CloudClient,
    CloudError,
    JobNotFoundError,
    JobStatus,
    QuotaExceededError,
)

from support.api import Api
from support.server import Server

METHODS = {
    "api_base", "cancel_job", "close", "get_backend", "get_job", "get_result", "get_usage",
    "list_backends", "submit", "wait_for_result",
}  # fmt: skip
QUICKLY = 0.05
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def client(server: Server, ada: Api) -> Iterator[CloudClient]:
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "sdk"}).json()["key"]
    with CloudClient(api_key=key, api_base=f"{server.endpoints.http}/v1") as client:
        yield client


def bell() -> Circuit:
    return Circuit(2).h(0).cx(0, 1).measure_all()


def slow() -> Circuit:
    """It takes a statevector simulator minutes."""
    circuit = Circuit(24)
    for layer in range(200):
        for qubit in range(24):
            circuit.rx(qubit, 0.3 + layer).cx(qubit, (qubit + 1) % 24)
    return circuit.measure_all()


def test_all_its_public_methods_are_here():
    assert {name for name, _ in inspect.getmembers(CloudClient) if name[0] != "_"} == METHODS


def test_submit_and_wait(client: CloudClient):
    job = client.submit(bell(), shots=200, backend="local_simulator")
    assert job.status in JobStatus
    result = client.wait_for_result(job.job_id, timeout=60, poll_interval=QUICKLY)
    assert set(result.counts) <= {"00", "11"}
    assert (sum(result.counts.values()), result.shots, result.backend) == (
        200, 200, "local_simulator",
    )  # fmt: skip
    got = client.get_job(job.job_id)
    assert (got.job_id, got.status, got.shots) == (job.job_id, JobStatus.COMPLETED, 200)
    assert got.backend == "local_simulator"
    assert got.submitted_at == job.submitted_at
    assert client.get_result(job.job_id).counts == result.counts


@pytest.mark.parametrize("target", ["quality", "speed", "cost", None])
def test_submit_with_all_that_it_takes(client: CloudClient, ada: Api, target: str | None):
    job = client.submit(
        bell(), 100, optimize_for=target, max_cost_usd=1.0, min_fidelity=0.9, seed=7
    )
    told = ada.finish(job.job_id)
    names = {"quality": "accuracy", None: "balanced"}
    assert ada.rest("GET", f"/v1/jobs/{job.job_id}").json()["optimize_for"] == names.get(
        target, target
    )
    assert told.result.metadata["seed"] == 7


def test_cancel(client: CloudClient):
    job = client.submit(slow(), backend="aer_simulator")
    assert client.get_job(job.job_id).status in JobStatus
    cancelled = client.cancel_job(job.job_id)
    assert (cancelled.job_id, cancelled.status) == (job.job_id, JobStatus.CANCELLED)
    with pytest.raises(CloudError, match="terminated with status: cancelled"):
        client.wait_for_result(job.job_id, poll_interval=QUICKLY)
    with pytest.raises(CloudError, match="cancelled") as error:
        client.get_result(job.job_id)
    assert error.value.response["error"] == error.value.response["detail"]


def test_backends(client: CloudClient):
    backends = {backend.name: backend for backend in client.list_backends()}
    assert backends.keys() == {
        "local_simulator", "aer_simulator", "aer_gpu_simulator", "cirq_simulator",
        "pennylane_simulator",
    }  # fmt: skip
    aer = client.get_backend("aer_simulator")
    assert (aer.provider, aer.num_qubits, aer.status, aer.is_simulator, aer.cost_per_shot) == (
        "ibm", 25, "online", True, 0,
    )  # fmt: skip
    assert backends["aer_simulator"].num_qubits == aer.num_qubits


def test_usage(server: Server):
    account = server.newcomer()
    key = account.rest("POST", "/v1/auth/api-keys", {"name": "usage"}).json()["key"]
    with CloudClient(key, f"{server.endpoints.http}/v1/") as client:
        usage = client.get_usage()
    assert (usage.tier, usage.simulator_minutes_used, usage.simulator_minutes_limit) == (
        "explorer", 0, 60,
    )  # fmt: skip
    assert (usage.qpu_tasks_used, usage.qpu_tasks_limit, usage.credits_remaining_usd) == (0, 10, 50)


def test_what_is_refused_says_why(client: CloudClient):
    with pytest.raises(CloudError, match=r"^shots: ") as error:
        client.submit(bell(), shots=0)
    assert error.value.status_code == 400
    with pytest.raises(CloudError, match=r"^options\.colour: is unknown"):
        client.submit(bell(), colour="red")
    with pytest.raises(CloudError, match=r'^shots: must be an integer, got "many"'):
        client.submit(bell(), shots="many")  # type: ignore[arg-type]
    for call in (client.get_job, client.get_result, client.cancel_job):
        with pytest.raises(JobNotFoundError):
            call(NOBODY)
    with pytest.raises(JobNotFoundError):
        client.get_backend("none-such")


def test_credentials_and_quotas_have_errors_of_their_own(
    server: Server, monkeypatch: pytest.MonkeyPatch
):
    base = f"{server.endpoints.http}/v1"
    with CloudClient("qc_live_wrong", base) as client, pytest.raises(AuthenticationError):
        client.get_usage()
    key = server.newcomer().rest("POST", "/v1/auth/api-keys", {"name": "small"}).json()["key"]
    monkeypatch.setenv("QUANTCLOUD_API_KEY", key)
    with CloudClient(api_base=base) as client, pytest.raises(QuotaExceededError):
        client.submit(bell(), shots=10_000_000)


def test_close_ends_its_session_and_the_next_call_begins_one(client: CloudClient):
    client.close()
    assert client.get_backend("local_simulator").status == "online"
    assert str(client.api_base) in repr(client)
