"""The calls of the QuantStudio web IDE, as it makes them, below its base path."""

from typing import Any, NamedTuple

import pytest

from support.api import Api
from support.circuits import BELL
from support.server import Server

BASE = "/studio"
ORIGIN = "https://studio.example"
PROGRAM = "import quantsdk as qs\nc = qs.Circuit(2)\nc.h(0).cx(0, 1).measure_all()\nqs.run(c)\n"
# Of a tab with OpenQASM it sends the text under both names.
RUN = {"code": BELL, "circuit_qasm": BELL, "shots": 1024, "backend": "local_simulator",
       "optimize_for": "balanced"}  # fmt: skip
# What its "Run Circuit" sends: Python alone.
CODE_RUN = {
    "code": "import quantsdk as qs\ncircuit = qs.Circuit(2, name='Bell')\ncircuit.h(0).cx(0, 1)\n"
    "circuit.measure_all()\nresult = qs.run(circuit)\nprint(result.counts)\n",
    "shots": 1024, "backend": "local_simulator",
}  # fmt: skip
NONE = type(None)

ERROR = {"detail": str, "error": str}
JOB = {"job_id": str, "status": str, "backend": (str, NONE), "shots": int, "submitted_at": str,
       "completed_at": (str, NONE), "error_message": (str, NONE)}  # fmt: skip
CIRCUIT = {"id": str, "name": str, "code": (str, NONE), "qasm": (str, NONE),
           "num_qubits": (int, NONE), "created_at": str, "updated_at": str}  # fmt: skip
KEY = {"id": str, "name": str, "key_prefix": str, "created_at": str, "last_used_at": (str, NONE)}
BACKEND = {"name": str, "provider": str, "num_qubits": int, "status": str, "is_simulator": bool,
           "queue_depth": int}  # fmt: skip
RESULT = {"job_id": str, "counts": dict, "probabilities": dict, "backend": str,
          "execution_time_ms": (int, float),
          "metadata": {"num_qubits": int, "circuit_depth": int, "gate_count": int}}  # fmt: skip
USAGE = {"tier": str, "simulator_minutes_used": (int, float), "simulator_minutes_limit": object,
         "qpu_tasks_used": int, "qpu_tasks_limit": object,
         "credits_remaining_usd": (int, float)}  # fmt: skip


class Call(NamedTuple):
    """A request and what its answer must look like.

    `{job}` and `{circuit}` in a path are ids. A dictionary in `shape` names keys that must be
    there, a list of one shape a bare array with at least one element, and `[]` an empty one.
    """

    method: str
    path: str
    status: int
    shape: Any
    body: Any = None


ANYONE = (
    Call("GET", "/health", 200, {"status": "ok", "version": str, "timestamp": str}),
    Call("GET", "/v1/status", 200, {"status": "operational", "backends": dict}),
    Call("GET", "/v1/backends", 200, {"backends": [BACKEND], "count": 5}),
    Call("GET", "/v1/backends/local_simulator", 200, {**BACKEND, "name": "local_simulator"}),
)
ACCOUNT = (
    Call("POST", "/v1/circuits/run", 202, {"job_id": str, "status": "submitted"}, RUN),
    Call("POST", "/v1/circuits/run", 202, {"job_id": str, "status": "submitted"},
         {**RUN, "backend": None, "num_qubits": 2}),
    Call("POST", "/v1/circuits/run", 202, {"job_id": str, "status": "submitted"}, CODE_RUN),
    Call("POST", "/v1/circuits/run", 400, ERROR, {**CODE_RUN, "code": "import os\n"}),
    Call("POST", "/v1/circuits/run", 400, ERROR, {**RUN, "shots": 0}),
    Call("POST", "/v1/circuits/run", 400, ERROR, {**RUN, "shots": "many"}),
    Call("POST", "/v1/circuits/run", 400, ERROR, {**RUN, "circuit_qasm": "nonsense"}),
    Call("GET", "/v1/jobs", 200, [JOB]),
    Call("GET", "/v1/jobs?limit=10&offset=0", 200, [JOB]),
    Call("GET", "/v1/jobs?limit=50&offset=0&status_filter=completed", 200,
         [{**JOB, "status": "completed"}]),
    Call("GET", "/v1/jobs?limit=50&offset=0&status_filter=failed", 200, []),
    Call("GET", "/v1/jobs?status_filter=done", 400, ERROR),
    Call("GET", "/v1/jobs/{job}", 200, {**JOB, "status": "completed"}),
    Call("GET", "/v1/jobs/{job}/result", 200, RESULT),
    Call("GET", "/v1/jobs/{circuit}", 404, ERROR),
    Call("POST", "/v1/jobs/{job}/cancel", 400, ERROR),
    Call("GET", "/v1/circuits?limit=50&offset=0", 200, [CIRCUIT]),
    Call("POST", "/v1/circuits", 201, {**CIRCUIT, "code": PROGRAM},
         {"name": "Another", "code": PROGRAM, "metadata": {"forked_from": "bell"}}),
    Call("GET", "/v1/circuits/{circuit}", 200, CIRCUIT),
    Call("PUT", "/v1/circuits/{circuit}", 200, {**CIRCUIT, "name": "Renamed"},
         {"name": "Renamed", "code": PROGRAM}),
    Call("GET", "/v1/circuits/{job}", 404, ERROR),
    Call("GET", "/v1/account/usage", 200, USAGE),
)  # fmt: skip
SIGNED_IN = (
    Call("GET", "/v1/auth/api-keys", 200, [KEY]),
    Call("POST", "/v1/auth/api-keys", 201, {"id": str, "key": str}, {"name": "default"}),
    Call("POST", "/v1/auth/api-keys", 400, ERROR, {"name": ""}),
    Call("GET", "/v1/account/profile", 200, {"id": str, "tier": str, "created_at": str}),
)


def fits(value: Any, shape: Any) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            name in value and fits(value[name], part) for name, part in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and bool(value) is bool(shape) and all(
            fits(element, shape[0]) for element in value
        )  # fmt: skip
    if isinstance(shape, type | tuple):
        return isinstance(value, shape)
    return value == shape


@pytest.fixture(scope="module")
def credentials(ada: Api) -> dict[str, dict[str, str]]:
    """A JWT and an API key, in the headers that QuantStudio puts them in."""
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "studio"}).json()["key"]
    return {"jwt": ada.headers, "key": {"X-API-Key": key}, "none": {}}


@pytest.fixture(scope="module")
def ids(ada: Api) -> dict[str, str]:
    """A job that has ended, and a saved circuit."""
    job = ada.run(BELL, backend="local_simulator")
    ada.finish(job)
    made = ada.rest("POST", "/v1/circuits", {"name": "Bell", "code": PROGRAM})
    return {"job": job, "circuit": made.json()["id"]}


CALLS = [
    *(("none", call) for call in ANYONE),
    *((kind, call) for kind in ("jwt", "key") for call in ACCOUNT),
    *(("jwt", call) for call in SIGNED_IN),
]


@pytest.mark.parametrize(
    ("kind", "call"), CALLS, ids=[f"{kind} {c.method} {c.path} {c.status}" for kind, c in CALLS]
)
def test_a_call(
    server: Server,
    credentials: dict[str, dict[str, str]],
    ids: dict[str, str],
    kind: str,
    call: Call,
):
    headers = {"Content-Type": "application/json", "Origin": ORIGIN, **credentials[kind]}
    path = BASE + call.path.format(**ids)
    answer = server.rest.request(call.method, path, headers=headers, json=call.body)
    assert answer.status_code == call.status, answer.text
    assert fits(answer.json(), call.shape), answer.text
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    if call.status >= 400:
        assert answer.json()["error"] == answer.json()["detail"]


@pytest.mark.parametrize("call", ACCOUNT, ids=lambda call: f"{call.method} {call.path}")
def test_without_good_credentials_it_is_401_that_a_page_can_read(server: Server, call: Call):
    """QuantStudio runs its own simulator then, and on no other status."""
    path = BASE + call.path.format(job="j", circuit="c")
    for wrong in ({}, {"X-API-Key": "qc_live_wrong"}, {"Authorization": "Bearer wrong"}):
        answer = server.rest.request(
            call.method, path, headers={"Origin": ORIGIN, **wrong}, json=call.body
        )
        assert answer.status_code == 401, answer.text
        assert fits(answer.json(), ERROR)
        assert answer.headers["access-control-allow-origin"] == ORIGIN


@pytest.mark.parametrize("body", [RUN, CODE_RUN], ids=["OpenQASM", "Python"])
def test_a_run_from_the_button_to_the_counts(
    server: Server, credentials: dict[str, Any], body: dict[str, Any]
):
    headers = credentials["key"]
    job = server.post(f"{BASE}/v1/circuits/run", body, headers=headers).json()["job_id"]
    while True:
        polled = server.get(f"{BASE}/v1/jobs/{job}", headers=headers)
        if polled.json()["status"] == "completed":
            break
        assert polled.json()["status"] not in {"failed", "cancelled", "timeout"}, polled.text
    result = server.get(f"{BASE}/v1/jobs/{job}/result", headers=headers).json()
    assert set(result["counts"]) == {"00", "11"}
    assert sum(result["counts"].values()) == 1024


def test_revoking_a_key_and_deleting_a_circuit_say_so(ada: Api):
    key = ada.rest("POST", f"{BASE}/v1/auth/api-keys", {"name": "to revoke"}).json()["id"]
    circuit = ada.rest("POST", f"{BASE}/v1/circuits", {"name": "old", "qasm": BELL}).json()["id"]
    for path in (f"auth/api-keys/{key}", f"circuits/{circuit}"):
        gone = ada.rest("DELETE", f"{BASE}/v1/{path}")
        assert gone.status_code == 200
        assert isinstance(gone.json()["detail"], str)
        assert ada.rest("DELETE", f"{BASE}/v1/{path}").status_code == 404
