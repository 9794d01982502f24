"""The circuits of the benchmarks, as OpenQASM 2.0."""

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

SHOTS = 1024

_HEADER = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
_PLAIN = ("h", "x", "s", "t", "sx")
_ROTATIONS = ("rx", "ry", "rz")
_PAIRS = ("cx", "cz", "swap")


class Gate(NamedTuple):
    """A gate: its name in qelib1.inc, its qubits, and its angles in radians."""

    name: str
    qubits: tuple[int, ...]
    angles: tuple[float, ...] = ()


def measured(num_qubits: int, gates: Sequence[Gate]) -> str:
    """Return a circuit of these gates that measures all qubits at its end."""
    lines = [f"qreg q[{num_qubits}];", f"creg c[{num_qubits}];"]
    for name, qubits, angles in gates:
        angle_list = f"({','.join(map(repr, angles))})" if angles else ""
        lines.append(f"{name}{angle_list} {','.join(f'q[{qubit}]' for qubit in qubits)};")
    lines.append("measure q -> c;")
    return _HEADER + "\n".join(lines) + "\n"


def ghz(num_qubits: int) -> list[Gate]:
    """Return gates for (|0...0> + |1...1>) / sqrt(2), a Bell state on two qubits."""
    chain = [Gate("cx", (qubit, qubit + 1)) for qubit in range(num_qubits - 1)]
    return [Gate("h", (0,)), *chain]


def qft(num_qubits: int) -> list[Gate]:
    """Return the quantum Fourier transform with its swaps (Nielsen and Chuang, figure 5.1).

    It acts on a state of different angles, so that each of its gates has an effect.
    """
    gates = [Gate("ry", (qubit,), (0.3 + 0.2 * qubit,)) for qubit in range(num_qubits)]
    for target in reversed(range(num_qubits)):
        gates.append(Gate("h", (target,)))
        gates += [
            Gate("cu1", (control, target), (math.pi / (1 << (target - control)),))
            for control in reversed(range(target))
        ]
    gates += [Gate("swap", (low, num_qubits - 1 - low)) for low in range(num_qubits // 2)]
    return gates


def random_gates(num_qubits: int, depth: int, seed: int) -> list[Gate]:
    """Return `depth` layers with one gate on each qubit, half of the qubits in pairs."""
    rng = random.Random(seed)
    gates: list[Gate] = []
    for _ in range(depth):
        order = rng.sample(range(num_qubits), num_qubits)
        while order:
            if len(order) > 1 and rng.random() < 1 / 3:
                gates.append(Gate(rng.choice(_PAIRS), (order.pop(), order.pop())))
            elif rng.random() < 0.5:
                gates.append(Gate(rng.choice(_PLAIN), (order.pop(),)))
            else:
                angle = rng.uniform(0, 2 * math.pi)
                gates.append(Gate(rng.choice(_ROTATIONS), (order.pop(),), (angle,)))
    return gates


BELL = measured(2, ghz(2))
GHZ_100 = measured(100, ghz(100))
QFT_12 = measured(12, qft(12))
RANDOM_20_GATES = random_gates(20, 20, seed=20)
RANDOM_20 = measured(20, RANDOM_20_GATES)


def wide(num_qubits: int) -> list[Gate]:
    """Return the gates of a random circuit of 20 layers."""
    return random_gates(num_qubits, 20, seed=num_qubits)
