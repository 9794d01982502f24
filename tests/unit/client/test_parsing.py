"""A value of the wrong form is refused before it is sent, with its path and what would be right."""

import pytest

from quantcloud.client.errors import InvalidRequest
from quantcloud.client.messages.requests import run_request

WHOLE = "must be a whole number from -2147483648 to 2147483647"
NOISE = (
    "depolarizing_1q, depolarizing_2q, readout, t1_us, t2_us, gate_time_1q_us, gate_time_2q_us, "
    "gates, qubits"
)
WRONG = [
    ({"noise": {"t1": 1}}, "noise.t1", f"is unknown; known are {NOISE}"),
    ({"noise": [1]}, "noise", f"must be an object with any of {NOISE}"),
    ({"noise": {"readout": "a"}}, "noise.readout", "must be a finite number, is 'a'"),
    ({"noise": {"qubits": [1]}}, "noise.qubits", "must be an object"),
    ({"noise": {"qubits": {0: {}}}}, "noise.qubits", "must have texts as keys, has 0"),
    (
        {"noise": {"qubits": {"0": {"t1": 3}}}},
        "noise.qubits.0.t1",
        "is unknown; known are t1_us, t2_us, readout",
    ),
    (
        {"noise": {"qubits": {"0": {"readout": [[1, 0], 2]}}}},
        "noise.qubits.0.readout[1]",
        "must be a list, is 2",
    ),
    (
        {"noise": {"gates": {"x": {"pauli": {"X": 0.1, "Y": "p"}}}}},
        "noise.gates.x.pauli.Y",
        "must be a finite number, is 'p'",
    ),
    ({"shots": 1.5}, "shots", f"{WHOLE}, is 1.5"),
    ({"shots": 1 << 40}, "shots", f"{WHOLE}, is 1099511627776"),
    ({"seed": "x" * 99}, "seed", f"must be a whole number, is '{'x' * 59}"),
    ({"min_fidelity": float("nan")}, "min_fidelity", "must be a finite number, is nan"),
    ({"memory": "yes"}, "memory", "must be true or false, is 'yes'"),
    ({"name": 3}, "name", "must be a text, is 3"),
    ({"tags": "docs"}, "tags", "must be a list"),
    ({"tags": ["a", 1]}, "tags[1]", "must be a text, is 1"),
    (
        {"optimize_for": "best"},
        "optimize_for",
        "must be one of balanced, speed, accuracy, cost, is 'best'",
    ),
]


@pytest.mark.parametrize(("fields", "field", "problem"), WRONG)
def test_a_wrong_value_is_named(fields, field, problem):
    with pytest.raises(InvalidRequest) as wrong:
        run_request("h q;", fields)
    assert (wrong.value.field, str(wrong.value)) == (field, f"{field}: {problem}")


def test_right_values_are_taken():
    readout = [[1, 0], [0.5, 0.5]]
    noise = {"qubits": {"0": {"readout": readout}}, "gates": {"x": {"pauli": {"X": 0.1}}}}
    request = run_request("h q;", {"noise": noise, "tags": ("a", "b"), "seed": 1, "name": None})
    assert [*request.tags] == ["a", "b"]
    assert [[*row] for row in request.options.noise.qubits["0"].readout] == readout
    assert request.options.noise.gates["x"].pauli["X"] == 0.1


@pytest.mark.parametrize(
    ("circuit", "error", "words"),
    [
        ("bell.qasm", InvalidRequest, r"pathlib.Path\('bell.qasm'\)"),
        (None, TypeError, "is NoneType"),
        (b"qreg q[1];", TypeError, "is bytes"),
        ({}, TypeError, "quantcloud.qiskit"),
    ],
)
def test_something_else_than_a_circuit_is_named(circuit, error, words):
    with pytest.raises(error, match=words):
        run_request(circuit, {})
