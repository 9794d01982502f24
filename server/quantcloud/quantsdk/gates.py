"""The gates of the SDK: the circuit methods that add them, and their names in OpenQASM."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from quantcloud.quantsdk.values import REQUIRED, Budget, Circuit, Gate, Native, Refusal, given

MEASURE: Final = "MEASURE"
BARRIER: Final = "BARRIER"

# The largest integer that a double holds exactly.
_MAX_WHOLE: Final = (1 << 53) - 1

# Method, the names of its qubits, the names of its angles, the SDK's name of the gate.
_GATES: Final = """
h qubit - H; x qubit - X; y qubit - Y; z qubit - Z; s qubit - S; t qubit - T; i qubit - I;
sdg qubit - Sdg; tdg qubit - Tdg; sx qubit - SX; sxdg qubit - SXdg; reset qubit - RESET;
rx qubit theta RX; ry qubit theta RY; rz qubit theta RZ; p qubit lam P; u1 qubit lam U1;
u2 qubit phi,lam U2; r qubit theta,phi R; u3 qubit theta,phi,lam U3;
cx control,target - CX; cnot control,target - CX; cy control,target - CY; cz control,target - CZ;
ch control,target - CH; cs control,target - CS; csdg control,target - CSdg;
csx control,target - CSX; crx control,target theta CRX; cry control,target theta CRY;
crz control,target theta CRZ; cp control,target lam CP; cu1 control,target lam CU1;
cu3 control,target theta,phi,lam CU3; swap qubit1,qubit2 - SWAP; iswap qubit1,qubit2 - iSWAP;
dcx qubit1,qubit2 - DCX; ecr qubit1,qubit2 - ECR; rxx qubit1,qubit2 theta RXX;
ryy qubit1,qubit2 theta RYY; rzz qubit1,qubit2 theta RZZ; rzx qubit1,qubit2 theta RZX;
ccx control1,control2,target - CCX; toffoli control1,control2,target - CCX;
cswap control,target1,target2 - CSWAP; fredkin control,target1,target2 - CSWAP;
ccz control1,control2,target - CCZ
"""
_QASM: Final = {"i": "id", "cnot": "cx", "toffoli": "ccx", "fredkin": "cswap"}


def whole(what: str, value: Any, least: int, most: int) -> int:
    """Check that a value is a whole number, and return it. Raises `Refusal`."""
    if type(value) not in (int, bool) or not least <= value <= most:
        wanted = f"a whole number from {least} to {most}" if least < most else str(least)
        raise Refusal(f"{what} must be {wanted}, is {given(value)}")
    return int(value)


def qubits_of(circuit: Circuit, names: Sequence[str], values: Sequence[Any]) -> tuple[int, ...]:
    """Check that values are distinct qubits of a circuit. Raises `Refusal`."""
    last = circuit.num_qubits - 1
    qubits = tuple([whole(*each, 0, last) for each in zip(names, values, strict=True)])
    if len(set(qubits)) < len(qubits):
        raise Refusal(f"the qubits must differ, are {', '.join(map(str, qubits))}")
    return qubits


def _angle(what: str, value: Any) -> float:
    if type(value) not in (int, float, bool) or not math.isfinite(value):
        raise Refusal(f"{what} must be a finite number, such as math.pi / 2, is {given(value)}")
    if type(value) is bool:
        return int(value)
    # A longer whole number is the same angle.
    return float(value) if abs(value) >= _MAX_WHOLE else value


def _gate_methods() -> tuple[dict[str, Native], dict[str, str]]:
    methods: dict[str, Native] = {}
    names = {"measure": MEASURE, "barrier": BARRIER}
    for line in _GATES.split(";"):
        method, *parameters, name = line.split()
        qubits, angles = [each.split(",") if each != "-" else [] for each in parameters]
        qasm = _QASM.get(method, method)
        names[qasm] = name
        signature = dict.fromkeys([*qubits, *angles], REQUIRED)
        methods[method] = Native(method, _adding(qasm, name, qubits, angles), signature)
    return methods, names


def _adding(
    qasm: str, name: str, qubits: Sequence[str], angles: Sequence[str]
) -> Callable[..., Circuit]:
    count = len(qubits)

    def add(_: Budget, circuit: Circuit, *values: Any) -> Circuit:
        at = qubits_of(circuit, qubits, values[:count])
        params = tuple(map(_angle, angles, values[count:]))
        circuit.gates.append(Gate(qasm, name, at, params))
        return circuit

    return add


METHODS, NAMES = _gate_methods()
"""The methods by name, and the SDK's names of gates by those of OpenQASM."""
