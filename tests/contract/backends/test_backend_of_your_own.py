"""A backend from another package is found by its entry point, as docs/backends.md shows."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import Api
from support.circuits import ASYMMETRIC, BELL, HEADER
from support.packages import install
from support.server import Server
from thequantcloud.v1 import backend_pb2, job_pb2

PAGE = Path(__file__).parents[3] / "docs/backends.md"


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the example and a broken package installed."""
    folder = tmp_path_factory.mktemp("extended")
    # The first fence of each language. A later one shows another backend.
    blocks = dict(reversed(re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)))
    (points,) = tomllib.loads(blocks["toml"])["project"]["entry-points"].values()
    install(folder / "site", "my_package", blocks["python"], points)
    install(folder / "site", "broken", "raise RuntimeError", {"broken": "broken:BACKEND"})
    with Server(folder / "data", "--workers", "1", PYTHONPATH=str(folder / "site")) as running:
        yield running


@pytest.fixture(scope="module")
def ada(extended: Server) -> Api:
    return extended.api()


def test_it_is_listed(extended: Server, ada: Api):
    listed = extended.get("/v1/backends").json()
    (mine,) = [one for one in listed["backends"] if one["name"] == "bit_simulator"]
    assert (mine["provider"], mine["status"]) == ("example", "online")
    assert (mine["num_qubits"], mine["widest_circuit"]) == (1000, 1000)
    assert mine["native_gates"] == ["x", "cx", "ccx"]
    assert listed["count"] == 6
    assert extended.get("/v1/backends/bit_simulator").json() == mine
    one = ada.backends.GetBackend(backend_pb2.GetBackendRequest(name="bit_simulator"))
    assert one.description == mine["description"]


def test_it_runs_jobs_like_the_others(ada: Api):
    toffoli = HEADER + (
        "qreg q[3]; creg c[3]; x q[0]; x q[2]; ccx q[0],q[2],q[1]; cx q[1],q[0]; measure q -> c;"
    )
    last = ada.finish(ada.run(toffoli, backend="bit_simulator", shots=10))
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    assert dict(last.result.counts) == {"110": 10}
    assert last.result.metadata["method"] == "bits"
    assert last.result.metadata["circuit_depth"] == 4
    other = ada.finish(ada.run(ASYMMETRIC, backend="local_simulator", shots=10))
    assert dict(other.result.counts) == {"001": 10}


def test_its_refusal_is_reported(ada: Api):
    response = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, "backend": "bit_simulator"})
    assert response.status_code == 400
    assert "bit_simulator runs x, cx and ccx without noise" in response.json()["detail"]


def test_the_router_considers_it(ada: Api):
    routed = ada.rest("POST", "/v1/circuits/plan", {"qasm": ASYMMETRIC}).json()
    names = {one["backend"] for one in routed["candidates"] if not one.get("rejection")}
    assert {"bit_simulator", "local_simulator"} <= names


def test_memory_and_seed_work(ada: Api):
    body = {
        "qasm": ASYMMETRIC, "shots": 3, "backend": "bit_simulator",
        "options": {"memory": True, "seed": 5},
    }  # fmt: skip
    job = ada.rest("POST", "/v1/circuits/run", body).json()["job_id"]
    metadata = ada.finish(job).result.metadata
    assert list(metadata["memory"]) == ["001"] * 3
    assert metadata["seed"] == 5


def test_a_package_that_cannot_be_imported_is_skipped_and_logged(extended: Server):
    assert extended.get("/v1/backends/broken").status_code == 404
    assert "backend broken (broken:BACKEND) cannot be loaded" in extended.log_path.read_text()
