"""Compares OpenQASM 3 with Amazon Braket's simulator and with Qiskit's importer."""

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import Statevector as QiskitState

from quantcloud.backends.local.statevector import Statevector
from quantcloud.circuits import expanded
from quantcloud.openqasm import parse

HEADER = "OPENQASM 3.0;\n"
# Braket's own gates have other names, so programs define what they use.
GATES = """
gate h a { U(pi/2, 0, pi) a; }
gate x a { U(pi, 0, pi) a; }
gate z a { U(0, 0, pi) a; }
gate p(t) a { U(0, 0, t) a; }
gate rx(t) a { U(t, -pi/2, pi/2) a; }
gate ry(t) a { U(t, 0, 0) a; }
gate cx c, t { ctrl @ x c, t; }
"""
PREPARED = "qubit[4] q; for int i in [0:3] { ry(0.3 + 0.4 * i) q[i]; p(0.2 * i) q[i]; } "

# What both oracles read.
COMMON = {
    "controls": "ctrl @ x q[0], q[1]; ctrl @ ctrl @ rx(0.7) q[0], q[2], q[3];",
    "more controls": "ctrl(3) @ p(0.9) q[0], q[1], q[2], q[3]; ctrl(2) @ h q[3], q[1], q[0];",
    "negative controls": "negctrl @ rx(0.4) q[1], q[0]; ctrl @ negctrl @ h q[1], q[2], q[0];",
    "two negative controls": "negctrl(2) @ ry(1.1) q[3], q[1], q[2];",
    "inverses": "inv @ U(0.1, 0.2, 0.3) q[0]; inv @ ctrl @ rx(0.5) q[2], q[1];",
    "powers": "pow(3) @ rx(0.4) q[0]; pow(-2) @ p(0.3) q[1]; inv @ pow(2) @ cx q[0], q[1];",
    "stacked": "ctrl @ inv @ pow(2) @ ry(0.3) q[0], q[3]; negctrl @ ctrl @ x q[0], q[1], q[2];",
    "controlled U": (
        "ctrl @ U(0.3, 0.2, 0.1) q[0], q[1]; ctrl(2) @ U(1.3, 0.5, 0.4) q[0], q[1], q[2];"
    ),
    "controlled phases": "ctrl @ gphase(0.7) q[0]; ctrl @ ctrl @ gphase(-0.3) q[1], q[2];",
}
# What Braket reads otherwise: it drops phases under controls, and has no slices in aliases.
QISKIT = {
    "gates with modifiers in them": (
        "gate a(s, t) u, v { rx(s / 2) u; ctrl @ p(t - s) u, v; inv @ h v; } "
        "a(0.4, 1.5) q[0], q[2]; ctrl @ a(0.2, 0.3) q[1], q[3], q[0]; inv @ a(1.0, 2.0) q[3], q[1];"
    ),
    "phases in gates": "gate g(t) u { gphase(t); x u; } ctrl @ g(0.6) q[0], q[1]; g(1.0) q[2];",
    "aliases": (
        "let a = q[0:1]; let b = q[2:3]; h a[1]; cx b[0], a[0]; let c = b ++ a; rx(0.2) c[3];"
    ),
}
# What only Braket reads.
BRAKET = {
    "constants": (
        "const int[32] n = 2; const float[64] t = pi / n; rx(t) q[n]; ry(t ** 2) q[n - 1];"
    ),
    "functions": "rx(sqrt(2.0) * sin(pi / 3)) q[0]; ry(arccos(0.3)) q[1]; p(exp(-1.0)) q[2];",
    "precedence": "rx(-2.0 ** 2) q[0]; ry(1.0 - 2.0 - 3.0) q[1]; p(2.0 ** 3.0 ** 0.5) q[2];",
    "ranges": "for int i in [0:2:3] { h q[i]; } for uint i in [3:-1:1] { cx q[i], q[i - 1]; }",
    "sets": "for int i in {3, 0, 2} { rx(i * 0.1 + 0.1) q[i]; }",
    "nested loops": (
        "for int i in [0:1] { for int j in [i + 1:2] { rx(0.2 * j + 0.1 * i) q[i]; "
        "cx q[i], q[j]; } }"
    ),
    "while": "int[32] i = 0; while (i < 3) { h q[i]; i += 1; }",
    "break and continue": (
        "for int i in [0:3] { if (i == 1) { continue; } if (i == 3) { break; } x q[i]; }"
    ),
    "variables": (
        "int[8] k = 5; k = k * 2 - 7; k += 1; k *= 2; if (k == 8) { x q[0]; } else { x q[1]; }"
    ),
    "integers": (
        "int[32] a = 17; int[32] b = a % 5; uint[8] m = 255; int[32] s = 3 * b - a / 5; "
        "rx(0.1 * b) q[0]; ry(0.1 * s) q[1]; if (m > 254 && !(a == b) || false) { x q[2]; }"
    ),
    "bits": 'bit[4] b = "0110"; for int i in [0:3] { if (b[i] == 1) { h q[i]; } }',
    "subroutines": (
        "def turn(qubit a, float[64] t, int[32] times) { for int i in [1:times] { rx(t) a; } } "
        "turn(q[1], 0.25, 3); turn(q[2], 1.0, 2);"
    ),
    "results of subroutines": (
        "def twice(int[32] k) -> int[32] { return 2 * k; } int[32] r = twice(3) + 1; "
        "rx(0.1 * r) q[0];"
    ),
    "booleans": "bool b = true; bool c = !b; if (b && !c) { h q[0]; } if (c || 3 > 4) { h q[1]; }",
}


def ours(source: str) -> np.ndarray:
    circuit = expanded(parse(source))
    state = Statevector(circuit.num_qubits)
    state.evolve(list(circuit.operations))
    return state.amplitudes


def braket(source: str) -> np.ndarray:
    simulators = pytest.importorskip(
        "braket.default_simulator", reason="amazon-braket-default-simulator is not installed"
    )
    program = pytest.importorskip("braket.ir.openqasm").Program(
        source=f"{source}\n#pragma braket result state_vector"
    )
    result = simulators.StateVectorSimulator().run(program, shots=0)
    amplitudes = np.asarray(result.resultTypes[0].value)
    width = len(amplitudes).bit_length() - 1
    # Braket's first qubit is the highest bit.
    return amplitudes.reshape((2,) * width).transpose().ravel()


def assert_equal_states(first: np.ndarray, second: np.ndarray) -> None:
    """Compare up to a global phase."""
    assert abs(abs(np.vdot(first, second)) - 1) < 1e-9


@pytest.mark.parametrize("name", {**COMMON, **BRAKET})
@pytest.mark.filterwarnings("ignore")
def test_a_program_has_brakets_state(name: str):
    source = HEADER + GATES + PREPARED + {**COMMON, **BRAKET}[name]
    assert_equal_states(ours(source), braket(source))


@pytest.mark.parametrize(
    ("start", "name"),
    [
        # In definitions of its own, Qiskit leaves some parameters unbound.
        *((GATES, name) for name in COMMON),
        *(('include "stdgates.inc";\n', name) for name in {**COMMON, **QISKIT}),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_program_has_qiskits_state(start: str, name: str):
    # Qiskit's importer does not compute with the variables of loops.
    prepared = "qubit[4] q; " + "".join(
        f"ry({0.3 + 0.4 * i}) q[{i}]; p({0.2 * i}) q[{i}]; " for i in range(4)
    )
    source = HEADER + start + prepared + {**COMMON, **QISKIT}[name]
    theirs = QiskitState.from_instruction(qasm3.loads(source)).data
    assert_equal_states(ours(source), theirs)
