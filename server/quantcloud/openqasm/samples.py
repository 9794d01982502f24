"""Deterministic circuits of every kind of gate, to measure simulators."""

import random
from collections.abc import Iterable, Sequence

_LIGHT = ("cx {0},{1}", "cz {0},{1}", "x {0}", "s {0}")
_PHASES = ("rz({2}) {0}", "cp({2}) {0},{1}", "t {0}", "cx {0},{1}")
_DENSE = ("h {0}", "rx({2}) {0}", "ry({2}) {0}", "u3({2},0.2,0.3) {0}")
_WIDE = ("ccx {0},{1},{3}", "cswap {0},{1},{3}", "rccx {0},{1},{3}", "h {0}")
_WIDE_FROM = 3


def light(num_qubits: int, gates: int) -> str:
    """Return gates that multiply or exchange amplitudes, on a spread-out state; not Clifford."""
    return _mixed(num_qubits, gates, _PHASES)


def dense(num_qubits: int, gates: int) -> str:
    """Return gates on one qubit that mix amplitudes."""
    return _mixed(num_qubits, gates, _DENSE)


def wide(num_qubits: int, gates: int) -> str:
    """Return gates on three qubits."""
    return _mixed(max(num_qubits, _WIDE_FROM), gates, _WIDE)


def clifford(num_qubits: int, gates: int) -> str:
    """Return Clifford gates on distant qubits."""
    return _mixed(num_qubits, gates, _LIGHT)


def chain(num_qubits: int) -> str:
    """Return a chain of gates with little entanglement; not Clifford."""
    steps = [f"h q[0];ry(0.3) q[{i + 1}];cx q[{i}],q[{i + 1}];" for i in range(num_qubits - 1)]
    return _measured(num_qubits, steps)


def midway(num_qubits: int, rounds: int) -> str:
    """Return rounds of measurements that later gates depend on."""
    steps = [
        f"ry(0.4) q[{place % num_qubits}];measure q[{place % num_qubits}] -> c[0];"
        f"if(c==1) x q[{(place + 1) % num_qubits}];"
        for place in range(rounds)
    ]
    return _measured(num_qubits, steps)


def _mixed(num_qubits: int, gates: int, patterns: Sequence[str]) -> str:
    rng = random.Random(f"{num_qubits} {gates}")  # noqa: S311 - the same circuits each time
    steps = ["h q;"]
    for _ in range(gates):
        qubits = [f"q[{qubit}]" for qubit in rng.sample(range(num_qubits), min(num_qubits, 3))]
        first, second, third = (qubits + qubits)[:3]
        angle = round(rng.uniform(0.1, 3), 4)
        steps.append(rng.choice(patterns).format(first, second, angle, third) + ";")
    return _measured(num_qubits, steps)


def _measured(num_qubits: int, steps: Iterable[str]) -> str:
    head = f'OPENQASM 2.0;include "qelib1.inc";qreg q[{num_qubits}];creg c[{num_qubits}];'
    return head + "".join(steps) + "measure q -> c;"
