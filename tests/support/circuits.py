"""Circuits for tests."""

HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'

BELL = HEADER + "qreg q[2];\ncreg c[2];\nh q[0];\ncx q[0],q[1];\nmeasure q -> c;\n"

# X on qubit 0 only, so the counts show which end of a bitstring is bit 0.
ASYMMETRIC = HEADER + "qreg q[3];\ncreg c[3];\nx q[0];\nmeasure q -> c;\n"

# As slow as `slow`, in few lines.
SHORT_AND_SLOW = """OPENQASM 3.0; include "stdgates.inc"; qubit[23] q; bit[23] c;
for int i in [0:99] { for int k in [0:21] { ry(0.1 + i * k) q[k]; cx q[k], q[k + 1]; } }
c = measure q;
"""

# Turns two qubits by its inputs.
TURN = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta;
input array[float[64], 2] w;
qubit[2] q;
ry(theta) q[0];
ry(w[0] + w[1]) q[1];
"""


def wide(qubits: int) -> str:
    """A circuit of any width that is hard for stabilizer and product-state methods."""
    lines = [HEADER, f"qreg q[{qubits}];", f"creg c[{qubits}];"]
    for layer in range(8):
        lines += [f"u3({0.3 + 0.1 * q + layer},{0.2 * q},{0.1}) q[{q}];" for q in range(qubits)]
        lines += [f"cx q[{q}],q[{(q * 7 + 3 + layer) % qubits}];" for q in range(qubits)
                  if q != (q * 7 + 3 + layer) % qubits]  # fmt: skip
    lines.append("measure q -> c;")
    return "\n".join(lines)


def slow(qubits: int = 24, layers: int = 200) -> str:
    """A circuit that keeps a statevector simulator busy in C++ code for minutes."""
    lines = [HEADER, f"qreg q[{qubits}];", f"creg c[{qubits}];"]
    for layer in range(layers):
        lines += [f"u3({0.3 + layer},{0.2},{0.1 * q}) q[{q}];" for q in range(qubits)]
        lines += [f"cx q[{q}],q[{(q + 1) % qubits}];" for q in range(qubits)]
    lines.append("measure q -> c;")
    return "\n".join(lines)
