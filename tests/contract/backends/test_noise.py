"""The option `noise` on each backend, over gRPC and REST."""

import math

import pytest

from support.api import Api
from support.circuits import BELL, HEADER
from support.options import BACKENDS, NOISY, assert_refused, rest_result, result

QUIET = tuple(name for name in BACKENDS if name not in NOISY)


SHOTS = 20_000


def assert_share(counts: dict[str, int], outcome: str, expected: float) -> None:
    """Assert that an outcome's share is as expected, within five standard deviations."""
    shots = sum(counts.values())
    allowed = 5 * math.sqrt(max(expected * (1 - expected), 1 / shots) / shots)
    assert abs(counts.get(outcome, 0) / shots - expected) < allowed, (counts, outcome, expected)


X = HEADER + "qreg q[1];\ncreg c[1];\nx q[0];\nmeasure q -> c;"


CX = HEADER + "qreg q[2];\ncreg c[2];\nx q[0];\ncx q[0],q[1];\nmeasure q -> c;"


IDLE = HEADER + "qreg q[1];\ncreg c[1];\nmeasure q -> c;"


HH = HEADER + "qreg q[1];\ncreg c[1];\nh q[0];\nh q[0];\nmeasure q -> c;"


# The circuit, its noise, and the expected share of each outcome.
NOISE = {
    "readout": (IDLE, {"readout": 0.2}, {"0": 0.8, "1": 0.2}),
    "readout of each bit": (
        CX,
        {"readout": 0.1},
        {"11": 0.81, "01": 0.09, "10": 0.09, "00": 0.01},
    ),
    # With probability p the qubit becomes maximally mixed.
    "depolarizing on one": (X, {"depolarizing_1q": 0.3}, {"1": 0.85, "0": 0.15}),
    "depolarizing on two": (
        CX,
        {"depolarizing_2q": 0.4},
        {"11": 0.7, "00": 0.1, "01": 0.1, "10": 0.1},
    ),
    # During a gate of duration T1 ln 2, half of the excited state decays.
    "relaxation": (
        X,
        {"t1_us": 10, "gate_time_1q_us": 10 * math.log(2)},
        {"1": 0.5, "0": 0.5},
    ),
    # The coherence between the two gates of H H shrinks by exp(-t/T2).
    "dephasing": (
        HH,
        {"t2_us": 10, "gate_time_1q_us": 10 * math.log(2)},
        {"0": 0.75, "1": 0.25},
    ),
    "Pauli errors of a gate": (
        CX,
        {"gates": {"cx": {"pauli": {"XI": 0.2}}}},
        {"11": 0.8, "10": 0.2},
    ),
    "damping of a gate": (
        X,
        {"gates": {"x": {"amplitude_damping": 0.3}}},
        {"1": 0.7, "0": 0.3},
    ),
    "readout of a qubit": (
        CX,
        {"readout": 0.1, "qubits": {"1": {"readout": [[1, 0], [0.4, 0.6]]}}},
        {"11": 0.54, "10": 0.06, "01": 0.36, "00": 0.04},
    ),
    "relaxation of a qubit": (
        CX,
        {"gate_time_2q_us": 10 * math.log(2), "qubits": {"1": {"t1_us": 10}}},
        {"11": 0.5, "01": 0.5},
    ),
}


@pytest.mark.parametrize("backend", NOISY)
@pytest.mark.parametrize("kind", NOISE)
def test_noise_changes_the_distribution_as_predicted(ada: Api, backend: str, kind: str):
    qasm, noise, shares = NOISE[kind]
    found = result(ada, qasm, backend, shots=SHOTS, seed=3, noise=noise)
    assert set(found["counts"]) <= set(shares)
    for outcome, share in shares.items():
        assert_share(found["counts"], outcome, share)
    assert found["metadata"]["noise"] is True
    clean = result(ada, qasm, backend, shots=100, seed=3)
    assert clean["metadata"]["noise"] is False


@pytest.mark.parametrize("backend", NOISY)
def test_noise_over_rest(ada: Api, backend: str):
    found = rest_result(ada, X, backend, SHOTS, seed=3, noise={"readout": 0.25})
    assert_share(found["counts"], "0", 0.25)


@pytest.mark.parametrize("kind", ["Pauli errors of a gate", "readout of a qubit"])
def test_noise_by_gate_and_by_qubit_over_rest(ada: Api, kind: str):
    qasm, noise, shares = NOISE[kind]
    found = rest_result(ada, qasm, "aer_simulator", SHOTS, seed=3, noise=noise)
    for outcome, share in shares.items():
        assert_share(found["counts"], outcome, share)


def test_a_job_tells_its_noise_by_gate_and_by_qubit(ada: Api):
    noise = {
        "gates": {"cx": {"pauli": {"XI": 0.2}, "gate_time_us": 0.5}},
        "qubits": {"1": {"t1_us": 9, "readout": [[1, 0], [0.4, 0.6]]}},
    }
    job = ada.run(CX, backend="aer_simulator", options={"noise": noise})
    ada.finish(job)
    told = ada.rest("GET", f"/v1/jobs/{job}").json()["options"]["noise"]
    assert told["gates"]["cx"] | noise["gates"]["cx"] == told["gates"]["cx"]
    assert told["qubits"]["1"] | noise["qubits"]["1"] == told["qubits"]["1"]
    # It can be sent again as it is.
    assert rest_result(ada, CX, "aer_simulator", 10, noise=told)["metadata"]["noise"] is True


@pytest.mark.parametrize("backend", QUIET)
def test_backends_without_noise_refuse_it(ada: Api, backend: str):
    assert_refused(ada, f"{backend} simulates no noise", BELL, backend, noise={"readout": 0.1})


def test_the_router_chooses_a_backend_with_noise_for_noise(ada: Api):
    last = ada.finish(ada.run(X, options={"noise": {"readout": 0.5}}))
    assert last.result.backend in NOISY
    assert len(last.result.counts) == 2


@pytest.mark.parametrize("backend", NOISY)
def test_noise_with_a_statevector_is_refused(ada: Api, backend: str):
    says = "a noisy state is mixed"
    assert_refused(ada, says, BELL, backend, noise={"readout": 0.1}, statevector=True)
