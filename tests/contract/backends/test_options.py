"""The `options` of a request on each backend, over gRPC and REST."""

import math
from collections import Counter
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from support.api import Api
from support.circuits import BELL, HEADER
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

BACKENDS = ("aer_simulator", "cirq_simulator", "local_simulator", "pennylane_simulator")
NOISY = ("aer_simulator", "cirq_simulator")
QUIET = tuple(name for name in BACKENDS if name not in NOISY)
LARGEST_SEED = 2**53 - 1

# Many outcomes are likely, so two runs rarely agree by chance.
SPREAD = HEADER + "qreg q[4];\ncreg c[4];\n" + "".join(
    f"ry({0.7 + 0.4 * q}) q[{q}];\n" for q in range(4)
) + "cx q[0],q[2];\nmeasure q -> c;\n"  # fmt: skip
MIDWAY = (
    HEADER + "qreg q[1];\ncreg c[2];\nh q[0];\nmeasure q[0]->c[0];\nh q[0];\nmeasure q[0]->c[1];"
)
WIDE = HEADER + "qreg q[17];\ncreg c[17];\nh q;\nmeasure q -> c;"
SHOTS = 20_000


@pytest.fixture(scope="module")
def ada(server: Server) -> Api:
    return server.api()


def result(api: Api, qasm: str, backend: str, shots: int = 500, **options: Any) -> dict[str, Any]:
    """Run over gRPC; return the result as JSON."""
    job = api.run(qasm, backend=backend, shots=shots, options=options)
    last = api.finish(job)
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    return MessageToDict(last.result, preserving_proto_field_name=True)


def rest_result(api: Api, qasm: str, backend: str, shots: int, **options: Any) -> dict[str, Any]:
    body = {"qasm": qasm, "backend": backend, "shots": shots, "options": options}
    submitted = api.rest("POST", "/v1/circuits/run", body)
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()["job_id"]
    api.finish(job)
    return api.rest("GET", f"/v1/jobs/{job}/result").json()


def assert_refused(api: Api, says: str, qasm: str, backend: str | None, **options: Any) -> None:
    """Assert that run and plan are refused with the same message over gRPC and REST."""
    request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, options=options)
    for call in (api.circuits.RunCircuit, api.circuits.PlanCircuit):
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=api.metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert says in refused.value.details()
    assert_refused_over_rest(api, says, qasm, backend, options)


def assert_refused_over_rest(
    api: Api, says: str, qasm: str, backend: str | None, options: dict[str, Any]
) -> None:
    body = {"qasm": qasm, "options": options} | ({"backend": backend} if backend else {})
    for path in ("/v1/circuits/run", "/v1/circuits/plan"):
        response = api.rest("POST", path, body)
        assert response.status_code == 400, response.text
        assert says in response.json()["detail"]


def assert_share(counts: dict[str, int], outcome: str, expected: float) -> None:
    """Assert that an outcome's share is as expected, within five standard deviations."""
    shots = sum(counts.values())
    allowed = 5 * math.sqrt(max(expected * (1 - expected), 1 / shots) / shots)
    assert abs(counts.get(outcome, 0) / shots - expected) < allowed, (counts, outcome, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_seed_repeats_the_counts(ada: Api, backend: str):
    first = result(ada, SPREAD, backend, seed=LARGEST_SEED)
    again = rest_result(ada, SPREAD, backend, 500, seed=LARGEST_SEED)
    other = result(ada, SPREAD, backend, seed=LARGEST_SEED - 1)
    assert first["counts"] == again["counts"] != other["counts"]
    assert first["metadata"]["seed"] == again["metadata"]["seed"] == LARGEST_SEED


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("qasm", [SPREAD, BELL, MIDWAY], ids=["spread", "Clifford", "midway"])
def test_each_result_has_a_seed_that_repeats_the_counts(ada: Api, backend: str, qasm: str):
    first = result(ada, qasm, backend, shots=5000)
    seed = first["metadata"]["seed"]
    again = result(ada, qasm, backend, shots=5000, seed=int(seed))
    assert first["counts"] == again["counts"]
    assert first["metadata"]["method"] == again["metadata"]["method"]


def test_generated_seeds_differ(ada: Api):
    seeds = {result(ada, BELL, "local_simulator")["metadata"]["seed"] for _ in range(4)}
    assert len(seeds) == 4


def test_the_routers_choice_can_be_repeated_by_naming_it(ada: Api):
    first = ada.finish(ada.run(SPREAD)).result
    again = result(ada, SPREAD, first.backend, shots=1024, seed=int(first.metadata["seed"]))
    assert dict(first.counts) == again["counts"]


def expected_state() -> list[complex]:
    """The amplitudes of `STATE`. Bit q of the index is qubit q, as in Qiskit."""
    a, b = 0.4, 1.1
    ry = (math.cos(a / 2), math.sin(a / 2))
    rx = (math.cos(b / 2), -1j * math.sin(b / 2))
    state = [0j] * 8
    for first in (0, 1):
        for second in (0, 1):
            # Qubit 2 is a copy of qubit 0, made by the cx.
            state[first | second << 1 | first << 2] = ry[first] * rx[second]
    return state


STATE = HEADER + "qreg q[3];\ncreg c[3];\nry(0.4) q[0];\nrx(1.1) q[1];\ncx q[0],q[2];\n"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("measured", ["", "measure q -> c;"], ids=["bare", "measured"])
@pytest.mark.parametrize("protocol", ["gRPC", "REST"])
def test_the_statevector_has_qiskits_order(ada: Api, backend: str, measured: str, protocol: str):
    if protocol == "gRPC":
        found = result(ada, STATE + measured, backend, statevector=True)
    else:
        found = rest_result(ada, STATE + measured, backend, 100, statevector=True)
    vector = found["statevector"]
    state = [complex(*parts) for parts in zip(vector["real"], vector["imag"], strict=True)]
    expected = expected_state()
    assert len(state) == 8
    overlap = sum(x.conjugate() * y for x, y in zip(expected, state, strict=True))
    assert abs(overlap) == pytest.approx(1, abs=1e-5)
    for mine, theirs in zip(expected, state, strict=True):
        assert theirs / (overlap / abs(overlap)) == pytest.approx(mine, abs=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_statevector_may_have_sixteen_qubits(ada: Api, backend: str):
    qasm = HEADER + "qreg q[16];\nx q[15];\n"
    vector = result(ada, qasm, backend, shots=10, statevector=True)["statevector"]
    assert len(vector["real"]) == len(vector["imag"]) == 1 << 16
    norms = [math.hypot(*parts) for parts in zip(vector["real"], vector["imag"], strict=True)]
    assert norms[1 << 15] == pytest.approx(1, abs=1e-6)
    assert sum(norms) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("backend", [*BACKENDS, None])
def test_a_statevector_that_does_not_exist_is_refused(ada: Api, backend: str | None):
    says = "options.statevector: is not available for a circuit with mid-circuit measurement"
    assert_refused(ada, says, MIDWAY, backend, statevector=True)
    says = "options.statevector: is returned for up to 16 qubits, the circuit has 17"
    assert_refused(ada, says, WIDE, backend, statevector=True)


def test_no_statevector_unless_requested(ada: Api):
    job = ada.run(BELL)
    assert not ada.finish(job).result.HasField("statevector")
    assert ada.rest("GET", f"/v1/jobs/{job}/result").json()["statevector"] is None


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("qasm", [SPREAD, BELL, MIDWAY], ids=["spread", "Clifford", "midway"])
def test_memory_has_one_outcome_per_shot(ada: Api, backend: str, qasm: str):
    with_memory = result(ada, qasm, backend, shots=700, seed=11, memory=True)
    memory = with_memory["metadata"]["memory"]
    assert len(memory) == 700
    assert Counter(memory) == with_memory["counts"]
    # Memory is in the order of the shots, not sorted.
    assert memory != sorted(memory)
    without = result(ada, qasm, backend, shots=700, seed=11)
    assert "memory" not in without["metadata"]
    assert without["counts"] == with_memory["counts"]


def test_memory_over_rest(ada: Api):
    found = rest_result(ada, SPREAD, "local_simulator", 50, memory=True)
    assert Counter(found["metadata"]["memory"]) == found["counts"]


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


@pytest.mark.parametrize("backend", [*BACKENDS, None])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeout_seconds": 0}, "options.timeout_seconds: must be greater than 0, is 0"),
        ({"seed": 2**53}, "options.seed: must be 0 to 9007199254740991, is 9007199254740992"),
        ({"seed": -1}, "options.seed: must be 0 to 9007199254740991, is -1"),
        ({"noise": {"readout": 2}}, "options.noise.readout: must be 0 to 1, is 2"),
        ({"noise": {"t1_us": 1, "t2_us": 3}}, "options.noise.t2_us: must be at most twice t1_us"),
        (
            {"noise": {"gates": {"cx": {"depolarizing": 2}}}},
            "options.noise.gates.cx.depolarizing: must be 0 to 1, is 2",
        ),
        (
            {"noise": {"qubits": {"2": {"t1_us": 5}}}},
            "options.noise.qubits.2: is no qubit of the circuit, which has 2",
        ),
    ],
)
def test_an_invalid_option_is_named(
    ada: Api, backend: str | None, options: dict[str, Any], says: str
):
    assert_refused(ada, says, BELL, backend, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sed": 1}, "options.sed: is unknown; did you mean 'seed'?"),
        ({"seed": 1, "": 2}, "options: has a key with an empty name"),
        ({"noise": {"t3_us": 1}}, "options.noise.t3_us: is unknown; did you mean 't1_us'?"),
        (
            {"noise": {"gates": {"cx": {"depolarising": 0.1}}}},
            "options.noise.gates.cx.depolarising: is unknown; ",
        ),
        (
            {"noise": {"gates": {"cxx": {}}}},
            "options.noise.gates.cxx: is no standard gate on one or two qubits; did you mean 'cx'?",
        ),
        (
            {"noise": {"qubits": {"0": {"readout": [[1, 0], [0.5, 0.6]]}}}},
            "options.noise.qubits.0.readout[1]: must have the sum 1, has 1.1",
        ),
        ({"seed": 1.5}, "options.seed: must be an integer, is 1.5"),
        ({"seed": "1"}, "options.seed: must be a number"),
        ({"memory": "yes"}, "options.memory: must be true or false"),
        ({"noise": 1}, "options.noise: must be an object with any of depolarizing_1q"),
    ],
)
def test_options_of_the_wrong_json_type_are_named(ada: Api, options: dict[str, Any], says: str):
    assert_refused_over_rest(ada, says, BELL, None, options)
    batch = {"circuits": [{"qasm": BELL}, {"qasm": BELL, "options": options}]}
    refused = ada.rest("POST", "/v1/circuits/run-batch", batch)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(f"circuits[1].{says}")


def test_options_in_json_and_grpc_are_the_same_request(ada: Api):
    """The order of JSON keys and nulls make no difference."""
    metadata = (*ada.metadata, ("idempotency-key", "either way"))
    options = {"seed": 5, "noise": {"readout": 0.5}}
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, options=options)
    first = ada.circuits.RunCircuit(request, metadata=metadata).job_id
    for same in (options, {"memory": None, "noise": {"t1_us": None, "readout": 0.5}, "seed": 5.0}):
        again = ada.rest(
            "POST", "/v1/circuits/run", {"qasm": BELL, "options": same},
            headers={"Idempotency-Key": "either way"},
        )  # fmt: skip
        assert again.json()["job_id"] == first


@pytest.mark.parametrize("backend", BACKENDS)
def test_metadata_are_qiskits(ada: Api, backend: str):
    """Metadata equal Qiskit's `num_qubits`, `depth()` and `size()` of the circuit."""
    qasm = HEADER + (
        "qreg q[2]; qreg r[1]; creg c[3]; gate g a,b { h a; cx a,b; }\n"
        "h q; barrier q; g q[0],r[0]; if(c==0) x q[1]; ccx q[0],q[1],r[0];\n"
        "measure q[0]->c[0]; measure q[1]->c[1]; measure r[0]->c[2];"
    )
    metadata = result(ada, qasm, backend)["metadata"]
    # The longest chain is h, g or x, ccx and a measurement. The defined gate g counts as one.
    assert (metadata["num_qubits"], metadata["circuit_depth"], metadata["gate_count"]) == (3, 4, 8)
    assert metadata["measured_all"] is False
    bare = result(ada, HEADER + "qreg q[2]; h q[0]; cx q[0],q[1];", backend)["metadata"]
    assert (bare["num_qubits"], bare["circuit_depth"], bare["gate_count"]) == (2, 3, 4)
    assert bare["measured_all"] is True
