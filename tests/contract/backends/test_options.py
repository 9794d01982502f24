"""The `options` of a request on each backend, over gRPC and REST: seeds, and what is refused."""

from typing import Any

import pytest

from support.api import Api
from support.circuits import BELL, HEADER
from support.options import (
    BACKENDS,
    MIDWAY,
    SPREAD,
    assert_refused,
    assert_refused_over_rest,
    rest_result,
    result,
)
from thequantcloud.v1 import circuit_pb2

LARGEST_SEED = 2**53 - 1


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
