"""Algorithms are recognised, and similar circuits are not."""

import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from qiskit import qasm2

from quantcloud.openqasm import examine

PLAIN = [
    ("qreg q[2]; h q[0]; cx q[0],q[1];", "bell"),
    ("qreg q[2]; creg c[2]; h q[1]; cx q[1],q[0]; barrier q; measure q -> c;", "bell"),
    ("qreg q[3]; h q[1]; cx q[1],q[0]; cx q[1],q[2];", "ghz"),
    ("qreg q[4]; h q[0]; cx q[0],q[1]; cx q[1],q[2]; cx q[0],q[3];", "ghz"),
    ("gate pair a,b { h a; cx a,b; } qreg q[3]; pair q[0],q[1]; cx q[1],q[2];", "ghz"),
    ("qreg q[3]; h q; cz q[0],q[1]; cz q[1],q[2];", "graph_state"),
    ("qreg q[3]; h q[0]; h q[1]; cz q[0],q[1]; h q[2]; cz q[1],q[2];", "graph_state"),
    ("qreg q[2]; h q[1]; cp(pi/2) q[0],q[1]; h q[0]; swap q[0],q[1];", "qft"),
    ("qreg q[2]; h q[0]; cu1(-pi/2) q[0],q[1]; h q[1];", "qft"),
    ("qreg q[3]; x q[2]; h q; cx q[0],q[2]; h q; ", "bernstein_vazirani"),
    ("qreg q[3]; h q; rzz(0.3) q[0],q[1]; rzz(0.3) q[1],q[2]; rx(0.7) q;", "qaoa"),
    ("qreg q[2]; h q; cx q[0],q[1]; rz(0.3) q[1]; cx q[0],q[1]; rx(0.7) q;", "qaoa"),
]
OTHERS = [
    "qreg q[2]; cx q[0],q[1];",
    "qreg q[2]; h q[1]; cx q[0],q[1];",
    "qreg q[2]; h q[0]; cx q[0],q[1]; h q[0]; cx q[0],q[1];",
    "qreg q[3]; h q[0]; cx q[0],q[1];",
    "qreg q[3]; h q[0]; cx q[1],q[2]; cx q[0],q[1];",
    "qreg q[3]; h q[0]; cx q[0],q[1]; cx q[1],q[0];",
    "qreg q[3]; h q[0]; h q[1]; cz q[0],q[1]; cz q[1],q[2];",
    "qreg q[3]; h q;",
    "qreg q[2]; h q[1]; cp(pi/3) q[0],q[1]; h q[0];",
    "qreg q[2]; cp(pi/2) q[0],q[1]; h q[1]; h q[0];",
    "qreg q[3]; h q[2]; cp(pi/2) q[1],q[2]; h q[1]; cp(pi/2) q[0],q[1]; h q[0];",
    "qreg q[3]; h q; rzz(0.3) q[0],q[1]; rx(0.7) q[0];",
    "qreg q[3]; h q; rx(0.7) q; rzz(0.3) q[0],q[1];",
    "qreg q[3]; h q[0]; cx q[0],q[2]; h q[0]; h q[1];",
    "qreg q[1]; h q[0];",
    # It has gates after a measurement.
    "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; cx q[0],q[1]; measure q[1] -> c[1];",
    "gate h a { } qreg q[2]; h q[0]; cx q[0],q[1];",
]
KNOWN = {"ghz": "ghz", "graphstate": "graph_state", "qft": "qft", "bv": "bernstein_vazirani"}


@pytest.mark.parametrize(("statements", "known"), PLAIN)
def test_an_algorithm_is_recognised(statements: str, known: str):
    assert examine(f'include "qelib1.inc"; {statements}').algorithm == known


@pytest.mark.parametrize("statements", OTHERS)
def test_a_similar_circuit_is_not_recognised(statements: str):
    assert examine(f'include "qelib1.inc"; {statements}').algorithm is None


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("width", [5, 12])
def test_circuits_of_mqt_bench_are_recognised(name: str, width: int):
    circuit = get_benchmark(name, level=BenchmarkLevel.INDEP, circuit_size=width)
    assert examine(qasm2.dumps(circuit)).algorithm == KNOWN[name]


@pytest.mark.parametrize("name", ["grover", "hhl", "qftentangled", "vqe_su2", "wstate"])
def test_other_circuits_of_mqt_bench_are_not_recognised(name: str):
    circuit = get_benchmark(name, level=BenchmarkLevel.INDEP, circuit_size=5)
    assert examine(qasm2.dumps(circuit)).algorithm is None
