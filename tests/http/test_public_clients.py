"""The server accepts what the Python SDK and QuantStudio send."""

from typing import Any

from support.api import Api
from support.circuits import BELL, HEADER

SDK_GATES = (
    "sx q[0]; sxdg q[0]; p(0.1) q[0]; r(1e-07,.5) q[0]; cs q[0],q[1]; csdg q[0],q[1]; "
    "csx q[0],q[1]; cp(0.1) q[0],q[1]; crx(1.) q[0],q[1]; cry(-3.14) q[0],q[1]; "
    "rxx(0.1) q[0],q[1]; ryy(0.1) q[0],q[1]; rzz(0.1) q[0],q[1]; rzx(0.1) q[0],q[1]; "
    "iswap q[0],q[1]; dcx q[0],q[1]; ecr q[0],q[1]; ccz q[0],q[1],q[2]; swap q[0],q[1]; "
    "cswap q[0],q[1],q[2]; "
)


def submitted(ada: Api, body: dict[str, Any]) -> dict[str, Any]:
    response = ada.rest("POST", "/v1/circuits/run", body)
    assert response.status_code == 202, response.text
    return response.json()


def test_each_gate_that_the_sdk_writes_is_accepted(ada: Api):
    qasm = HEADER + "qreg q[3];\ncreg c[3];\n" + SDK_GATES + "measure q -> c;\n"
    for backend in ("aer_simulator", "cirq_simulator", "local_simulator", "pennylane_simulator"):
        job = submitted(ada, {"circuit_qasm": qasm, "backend": backend})
        assert sum(ada.finish(job["job_id"]).result.counts.values()) == 1024


def test_the_circuits_two_names_must_not_differ(ada: Api):
    submitted(ada, {"qasm": BELL, "circuit_qasm": BELL})
    differ = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, "circuit_qasm": BELL + "\n"})
    assert differ.status_code == 400
    assert "circuit_qasm" in differ.json()["detail"]


def test_a_run_needs_only_a_circuit(ada: Api):
    job = submitted(ada, {"qasm": BELL})
    assert (job["shots"], job["optimize_for"]) == (1024, "balanced")
