"""Runs the circuits of MQT Bench, up to 12 qubits, on every backend.

https://github.com/munich-quantum-toolkit/bench
"""

import numpy as np
import pytest
from mqt.bench import BenchmarkLevel, get_benchmark
from mqt.bench.benchmarks import get_available_benchmark_names
from qiskit import QuantumCircuit, qasm2, qasm3, transpile
from qiskit.quantum_info import Statevector

from quantcloud.circuits import expanded, with_measurements
from quantcloud.openqasm import parse
from unit.backends.conftest import BACKENDS
from unit.backends.exact import assert_agrees, distribution, run

pytestmark = pytest.mark.slow

WIDEST = 12
SHOTS = 20_000
# These depend on measurements; the others measure at their end or not at all.
DYNAMIC = {"dynamic_qft": 4, "iqpe": 4}
# OpenQASM 2 cannot express its condition, the XOR of two bits.
BEYOND = {"ghz_dynamic"}
# These need 13 qubits or more.
TOO_WIDE = {"seven_qubit_steane_code", "shor", "shors_nine_qubit_code"}


def benchmark(name: str, widest: int) -> QuantumCircuit:
    """Return the algorithm's circuit of the greatest width up to `widest` that exists."""
    for width in range(widest, 1, -1):
        try:
            return get_benchmark(name, level=BenchmarkLevel.INDEP, circuit_size=width)
        except (ValueError, AssertionError):
            continue
    raise LookupError(f"{name} has no circuit of width up to {widest}")


def source_of(circuit: QuantumCircuit) -> str:
    if circuit.has_control_flow_op():
        return qasm3.dumps(circuit)
    try:
        return qasm2.dumps(circuit)
    except (TypeError, qasm2.QASM2ExportError):  # gates that are defined by a matrix
        return qasm2.dumps(transpile(circuit, basis_gates=["u", "cx"]))


def probabilities(circuit: QuantumCircuit) -> dict[str, float]:
    """Return the exact distribution from Qiskit's statevector."""
    reads: dict[int, int] = {}
    gates = circuit.copy_empty_like()
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        if instruction.operation.name == "measure":
            reads[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
        else:
            gates.append(instruction)
    reads = reads or {qubit: qubit for qubit in range(circuit.num_qubits)}
    width = max(circuit.num_clbits, max(reads) + 1)
    found: dict[str, float] = {}
    for index, p in enumerate(np.abs(Statevector(gates).data) ** 2):
        bits = ["0"] * width
        for clbit, qubit in reads.items():
            bits[width - 1 - clbit] = str(index >> qubit & 1)
        key = "".join(bits)
        found[key] = found.get(key, 0.0) + float(p)
    return found


def names() -> list[str]:
    fixed = {*DYNAMIC, *BEYOND, *TOO_WIDE}
    return [name for name in get_available_benchmark_names() if name not in fixed]


@pytest.mark.parametrize("name", names())
def test_every_backend_agrees_with_qiskit(executors, name: str):
    circuit = benchmark(name, WIDEST)
    exact = probabilities(circuit)
    mine = expanded(with_measurements(parse(source_of(circuit))))
    for backend in BACKENDS:
        assert_agrees(run(executors[backend], "statevector", mine, SHOTS), exact, SHOTS)


@pytest.mark.parametrize("name", DYNAMIC)
def test_every_backend_agrees_on_dynamic_circuits(executors, name: str):
    circuit = benchmark(name, DYNAMIC[name])
    mine = expanded(with_measurements(parse(source_of(circuit))))
    exact = distribution(mine)
    for backend in BACKENDS:
        assert_agrees(run(executors[backend], "statevector", mine, 3000), exact, 3000)
