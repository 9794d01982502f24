"""Each documented REST example works through Envoy, key by key."""

import re
from datetime import datetime
from importlib.metadata import version
from typing import Any

import httpx
import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.openapi import API, conforms
from support.server import Server

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
JOB_KEYS = {
    "job_id", "status", "backend", "shots", "optimize_for", "submitted_at", "started_at",
    "completed_at", "error_message", "metadata",
    # In addition to the documented ones.
    "batch_id", "options", "name", "tags", "estimated_start_at", "wait_reason",
}  # fmt: skip
CIRCUIT_KEYS = {
    "id", "user_id", "name", "code", "qasm", "num_qubits", "metadata", "created_at", "updated_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def ada(server: Server) -> Api:
    return Api(server.channel, server.rest, server.token("ada-rest@example.org"))


def instant(text: str) -> datetime:
    """Parse a time of the documented form: ISO 8601 in UTC, with a Z."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def json(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    return response.json()


def run(ada: Api, **fields: Any) -> dict[str, Any]:
    body = {"qasm": BELL, "shots": 1024, "backend": "aer_simulator", **fields}
    return json(ada.rest("POST", "/v1/circuits/run", body), 202)


def finished(ada: Api, job_id: str) -> str:
    ada.finish(job_id)
    return job_id


def test_health(server: Server):
    body = json(server.get("/health"), 200)
    assert set(body) == {"status", "version", "timestamp"}
    assert body["status"] == "healthy"
    instant(body["timestamp"])


def test_status(server: Server):
    body = json(server.get("/v1/status"), 200)
    assert set(body) == {"status", "backends", "active_jobs", "timestamp"}
    assert body["status"] == "operational"
    assert body["backends"] == {
        "aer_gpu_simulator": "offline",
        "aer_simulator": "online",
        "cirq_simulator": "online",
        "local_simulator": "online",
        "pennylane_simulator": "online",
    }
    assert isinstance(body["active_jobs"], int)
    instant(body["timestamp"])


def test_backends(server: Server):
    body = json(server.get("/v1/backends"), 200)
    assert set(body) == {"backends", "count"}
    assert body["count"] == 5
    by_name = {backend["name"]: backend for backend in body["backends"]}
    assert {name: (b["provider"], b["num_qubits"]) for name, b in by_name.items()} == {
        "aer_gpu_simulator": ("ibm", 30),
        "aer_simulator": ("ibm", 25),
        "cirq_simulator": ("google", 20),
        "local_simulator": ("quantsdk", 20),
        "pennylane_simulator": ("xanadu", 20),
    }
    aer = by_name["aer_simulator"]
    assert set(aer) == {
        "name", "provider", "num_qubits", "status", "is_simulator", "queue_depth",
        "avg_queue_time_sec", "cost_per_shot", "native_gates", "description", "widest_circuit",
    }  # fmt: skip
    assert (aer["status"], aer["is_simulator"], aer["queue_depth"]) == ("online", True, 0)
    assert aer["cost_per_shot"] == 0
    assert {"h", "cx", "rz", "sx", "x"} <= set(aer["native_gates"])
    one = json(server.get("/v1/backends/aer_simulator"), 200)
    assert one.keys() == aer.keys()


def test_api_keys(ada: Api):
    made = json(ada.rest("POST", "/v1/auth/api-keys", {"name": "my-laptop"}), 201)
    assert set(made) == {"id", "name", "key_prefix", "key"}
    assert UUID.fullmatch(made["id"])
    assert made["name"] == "my-laptop"
    assert made["key"].startswith(made["key_prefix"])
    assert made["key_prefix"].startswith("qc_live_")
    listed = json(ada.rest("GET", "/v1/auth/api-keys"), 200)
    assert set(listed) == {"api_keys"}
    (key,) = listed["api_keys"]
    assert set(key) == {"id", "name", "key_prefix", "created_at", "last_used_at"}
    assert key["last_used_at"] is None
    instant(key["created_at"])
    used = ada.rest("GET", "/v1/jobs", headers={"Authorization": "", "X-API-Key": made["key"]})
    assert used.status_code == 200  # an empty Authorization is ignored
    by_key = Api(ada.channel, ada._rest, made["key"])
    json(by_key.rest("GET", "/v1/jobs"), 200)
    (key,) = json(ada.rest("GET", "/v1/auth/api-keys"), 200)["api_keys"]
    instant(key["last_used_at"])
    gone = json(ada.rest("DELETE", f"/v1/auth/api-keys/{made['id']}"), 200)
    assert gone == {"detail": "API key revoked"}
    assert by_key.rest("GET", "/v1/jobs").status_code == 401


def test_run(ada: Api):
    body = run(ada, optimize_for="balanced")
    assert UUID.fullmatch(body["job_id"])
    instant(body["submitted_at"])
    assert body == {
        "job_id": body["job_id"],
        "status": "submitted",
        "backend": None,
        "shots": 1024,
        "optimize_for": "balanced",
        "submitted_at": body["submitted_at"],
    }


def test_a_completed_job(ada: Api):
    job_id = finished(ada, run(ada)["job_id"])
    body = json(ada.rest("GET", f"/v1/jobs/{job_id}"), 200)
    assert set(body) == JOB_KEYS
    assert (body["job_id"], body["status"], body["backend"]) == (
        job_id, "completed", "aer_simulator",
    )  # fmt: skip
    assert (body["shots"], body["optimize_for"]) == (1024, "balanced")
    assert body["error_message"] is None
    assert body["metadata"]["routing"]["backend"] == "aer_simulator"
    assert (
        instant(body["submitted_at"])
        <= instant(body["started_at"])
        <= instant(body["completed_at"])
    )


def test_a_waiting_job_has_nulls(ada: Api):
    first = next(iter(ada.events(f"/v1/jobs/{run(ada)['job_id']}/events?after_sequence=0")))
    assert not first.job.HasField("started_at")
    with ada._rest.stream(
        "GET", f"/v1/jobs/{run(ada)['job_id']}/events?after_sequence=0", headers=ada.headers
    ) as response:
        line = next(line for line in response.iter_lines() if line.startswith("data:"))
    event = httpx.Response(200, text=line.removeprefix("data:")).json()
    assert set(event["job"]) == JOB_KEYS
    json_nulls = ("backend", "started_at", "completed_at", "error_message")
    assert all(event["job"][name] is None for name in json_nulls)
    assert event["queue_position"] is event["result"] is None
    assert event["job"]["metadata"] == {}


def test_a_result(ada: Api):
    job_id = finished(ada, run(ada)["job_id"])
    body = json(ada.rest("GET", f"/v1/jobs/{job_id}/result"), 200)
    assert set(body) == {
        "job_id", "counts", "probabilities", "statevector", "execution_time_ms", "backend",
        "metadata",
    }  # fmt: skip
    assert set(body["counts"]) == {"00", "11"}
    assert sum(body["counts"].values()) == 1024
    assert all(isinstance(count, int) for count in body["counts"].values())
    assert body["probabilities"] == {k: count / 1024 for k, count in body["counts"].items()}
    assert body["statevector"] is None
    assert body["execution_time_ms"] > 0
    assert body["backend"] == "aer_simulator"
    documented = {"num_qubits": 2, "circuit_depth": 3, "gate_count": 4}
    assert documented.items() <= body["metadata"].items()


def test_the_circuit_of_a_job_is_a_request_for_the_same_run(ada: Api):
    asked = {
        "options": {"memory": True, "noise": {"readout": 0.25}},
        "optimize_for": "speed", "shots": 50, "max_cost_usd": 1.5, "backend": "aer_simulator",
    }  # fmt: skip
    job_id = finished(ada, run(ada, **asked)["job_id"])
    job = json(ada.rest("GET", f"/v1/jobs/{job_id}"), 200)
    noise = dict.fromkeys(
        ("depolarizing_1q", "depolarizing_2q", "t1_us", "t2_us", "gate_time_1q_us",
         "gate_time_2q_us", "gates", "qubits")
    )  # fmt: skip
    seed = job["options"]["seed"]
    assert isinstance(seed, int)
    assert job["options"] == {
        "seed": seed, "memory": True, "statevector": None, "timeout_seconds": None,
        "noise": {"readout": 0.25, **noise},
    }  # fmt: skip
    body = json(ada.rest("GET", f"/v1/jobs/{job_id}/circuit"), 200)
    assert body == {
        **asked, "job_id": job_id, "qasm": BELL, "options": job["options"],
        "requested_backend": "aer_simulator", "min_fidelity": None, "name": None, "tags": [],
        "method": body["method"],
        "server_version": version("thequantcloud"), "simulator_version": body["simulator_version"],
    }  # fmt: skip
    assert body["simulator_version"] == f"qiskit-aer {version('qiskit-aer')}"
    request = {name: body[name] for name in (*asked, "qasm", "min_fidelity")}
    again = finished(ada, json(ada.rest("POST", "/v1/circuits/run", request), 202)["job_id"])
    results = [json(ada.rest("GET", f"/v1/jobs/{each}/result"), 200) for each in (job_id, again)]
    assert results[0]["counts"] == results[1]["counts"]
    assert results[0]["metadata"] == results[1]["metadata"]
    conforms(body, API["components"]["schemas"]["JobCircuit"])


def test_a_circuit_that_waits_has_no_versions(ada: Api):
    job_id = run(ada, qasm=slow())["job_id"]
    body = json(ada.rest("GET", f"/v1/jobs/{job_id}/circuit"), 200)
    assert body["qasm"] == slow()
    assert body["server_version"] is body["simulator_version"] is body["max_cost_usd"] is None
    ada.cancel(job_id)


def test_cancel(ada: Api):
    job_id = run(ada, qasm=slow())["job_id"]
    cancelled = json(ada.rest("POST", f"/v1/jobs/{job_id}/cancel"), 200)
    assert cancelled == {"job_id": job_id, "status": "cancelled"}


def test_jobs(ada: Api):
    job_id = finished(ada, run(ada)["job_id"])
    body = json(ada.rest("GET", "/v1/jobs", params={"limit": 1}), 200)
    assert set(body) == {"next_page_token", "jobs", "count", "total", "limit", "offset"}
    assert (body["count"], body["limit"], body["offset"]) == (1, 1, 0)
    assert body["total"] >= 1
    assert body["jobs"][0]["job_id"] == job_id
    assert set(body["jobs"][0]) == JOB_KEYS
    for name in ("status", "status_filter"):
        found = json(ada.rest("GET", "/v1/jobs", params={name: "failed"}), 200)
        assert found == {
            "next_page_token": None, "jobs": [], "count": 0, "total": 0, "limit": 20, "offset": 0
        }  # fmt: skip


def test_saved_circuits(ada: Api):
    body = {"name": "My Bell State", "code": "import quantsdk as qs\n", "qasm": BELL,
            "num_qubits": 2}  # fmt: skip
    made = json(ada.rest("POST", "/v1/circuits", body), 201)
    assert set(made) == CIRCUIT_KEYS
    assert body.items() <= made.items()
    assert made["metadata"] == {}
    assert made["created_at"] == made["updated_at"]
    path = f"/v1/circuits/{made['id']}"
    assert json(ada.rest("GET", path), 200) == made
    listed = json(ada.rest("GET", "/v1/circuits"), 200)
    assert listed == {
        "next_page_token": None, "circuits": [made], "count": 1, "total": 1, "limit": 20,
        "offset": 0,
    }  # fmt: skip
    changed = json(ada.rest("PUT", path, {"name": "Renamed", "metadata": {"a": [1]}}), 200)
    assert changed == {
        **made, "name": "Renamed", "metadata": {"a": [1]}, "updated_at": changed["updated_at"],
    }  # fmt: skip
    assert instant(changed["updated_at"]) > instant(made["updated_at"])
    assert json(ada.rest("DELETE", path), 200) == {"detail": "Circuit deleted"}
    assert ada.rest("GET", path).status_code == 404
    bare = json(ada.rest("POST", "/v1/circuits", {"name": "draft", "code": "x"}), 201)
    assert bare["qasm"] is bare["num_qubits"] is None


def test_usage(server: Server):
    ada = Api(server.channel, server.rest, server.token())
    finished(ada, run(ada)["job_id"])
    body = json(ada.rest("GET", "/v1/account/usage"), 200)
    month = body["current_month"]
    assert body == {
        "tier": "explorer",
        "credits_remaining_usd": 50,
        "current_month": {
            "simulator_minutes": month["simulator_minutes"],
            "simulator_limit": 60,
            "qpu_tasks": 0,
            "qpu_limit": 10,
            "total_jobs": 1,
            "total_cost_usd": 0,
        },
        "limits": {
            "max_shots": 10000, "max_qubits": 25, "max_concurrent_jobs": 3, "api_keys_limit": 5,
            "max_points": 100,
        },
        "simulator_minutes_used": month["simulator_minutes"],
        "simulator_minutes_limit": 60,
        "qpu_tasks_used": 0,
        "qpu_tasks_limit": 10,
    }  # fmt: skip
    assert month["simulator_minutes"] > 0


def test_a_tier_without_limits_shows_nulls(server: Server):
    body = json(server.api("enterprise").rest("GET", "/v1/account/usage"), 200)
    assert body["current_month"]["simulator_limit"] is None
    assert body["qpu_tasks_limit"] is None


def test_profile(ada: Api):
    body = json(ada.rest("GET", "/v1/account/profile"), 200)
    assert body == {
        "id": "ada-rest@example.org",
        "email": "ada-rest@example.org",
        "name": None,
        "tier": "explorer",
        "created_at": body["created_at"],
    }
    instant(body["created_at"])


def test_plan(ada: Api):
    body = json(ada.rest("POST", "/v1/circuits/plan", {"qasm": BELL}), 200)
    assert body["candidates"][0]["backend"] == body["backend"]
    assert body["candidates"][0]["rejection"] is None
    offline = body["candidates"][-1]
    assert "offline" in offline["rejection"]
    assert offline["score"] is None


def test_a_watch_is_server_sent_events(ada: Api):
    job_id = run(ada)["job_id"]
    events = list(ada.events(f"/v1/jobs/{job_id}/events?after_sequence=0&with_result=true"))
    assert [event.sequence for event in events] == list(range(1, 8))
    assert sum(events[-1].result.counts.values()) == 1024
    start = ada.cursor()
    job_id = run(ada)["job_id"]
    everything = ada.events(f"/v1/jobs/events?after_cursor={start}")
    first = next(everything).events[0]
    assert (first.job.job_id, first.sequence) == (job_id, 1)
    everything.close()
