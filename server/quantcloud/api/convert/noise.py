"""The noise of a request."""

import math
import re
from difflib import get_close_matches
from typing import Final

from quantcloud.api.convert.values import changed, given, message_of
from quantcloud.backends.simulation.noise import NARROW_GATES, noise_name
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import GateNoise, Noise, QubitNoise, Readout
from thequantcloud.v1 import run_options_pb2

_MOST_GATES, _MOST_QUBITS = 100, 1_000
_ROUNDING: Final = 1e-9
_QUBIT: Final = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


def noise_of(message: run_options_pb2.NoiseModel, path: str) -> Noise:
    """Return the noise of a message whose limits are checked.

    `path` names the message in errors. Raises `InvalidArgument`.
    """
    for name, entries, most in (
        ("gates", len(message.gates), _MOST_GATES),
        ("qubits", len(message.qubits), _MOST_QUBITS),
    ):
        if entries > most:
            raise InvalidArgument(f"{path}.{name}", f"has {entries} entries; the maximum is {most}")
    numbers = {field.name: value for field, value in message.ListFields() if not field.is_repeated}
    noise = Noise(
        **numbers,
        gates=_gates(message, f"{path}.gates"),
        qubits=tuple(
            sorted(
                (_number(key, f"{path}.qubits.{key}"), _qubit(one, f"{path}.qubits.{key}"))
                for key, one in message.qubits.items()
            )
        ),
    )
    _check_times(noise.t1_us, noise.t2_us, path)
    for number, own in noise.qubits:
        t1_us = noise.t1_us if own.t1_us is None else own.t1_us
        t2_us = noise.t2_us if own.t2_us is None else own.t2_us
        _check_times(t1_us, t2_us, f"{path}.qubits.{number}")
    return noise


def noise_message(noise: Noise) -> run_options_pb2.NoiseModel:
    """Return the message of a noise; what has no effect is left out."""
    values = changed(noise)
    values["gates"] = {
        name: message_of(
            run_options_pb2.GateNoise,
            gate,
            pauli=dict(gate.pauli),
            amplitude_damping=gate.amplitude_damping or None,
        )
        for name, gate in noise.gates
    }
    values["qubits"] = {
        str(number): message_of(
            run_options_pb2.QubitNoise, qubit, readout=list(map(list, qubit.readout or ()))
        )
        for number, qubit in noise.qubits
    }
    return run_options_pb2.NoiseModel(**values)


def _check_times(t1_us: float | None, t2_us: float | None, path: str) -> None:
    if t1_us is not None and t2_us is not None and t2_us > 2 * t1_us:
        raise InvalidArgument(
            f"{path}.t2_us", f"must be at most twice t1_us, which is {t1_us:g}, is {t2_us:g}"
        )


def _gates(message: run_options_pb2.NoiseModel, path: str) -> tuple[tuple[str, GateNoise], ...]:
    gates: dict[str, GateNoise] = {}
    for key in sorted(message.gates):
        place = f"{path}.{key}"
        if key not in NARROW_GATES:
            raise InvalidArgument(place, _unknown_gate(key))
        name = noise_name(key)
        if name in gates:
            raise InvalidArgument(place, f"is the gate {name}, which has an entry too")
        gates[name] = _gate(message.gates[key], STANDARD_GATES[key].num_qubits, place)
    return tuple(sorted(gates.items()))


def _unknown_gate(key: str) -> str:
    if key in STANDARD_GATES:
        return "acts on more than two qubits; name the gates that define it"
    near = get_close_matches(key, sorted(NARROW_GATES), n=1)
    return "is no standard gate on one or two qubits" + (
        f"; did you mean '{near[0]}'?" if near else ""
    )


def _gate(message: run_options_pb2.GateNoise, num_qubits: int, path: str) -> GateNoise:
    return GateNoise(
        given(message, "depolarizing"),
        _pauli(message, num_qubits, f"{path}.pauli"),
        message.amplitude_damping,
        given(message, "gate_time_us"),
    )


def _pauli(
    message: run_options_pb2.GateNoise, num_qubits: int, path: str
) -> tuple[tuple[str, float], ...]:
    for name, probability in message.pauli.items():
        is_operator = re.fullmatch("[IXYZ]{1,2}", name) and name.strip("I")
        if not is_operator or len(name) not in (1, num_qubits):
            pairs = " or all of pairs such as XI or ZZ" if num_qubits > 1 else ""
            raise InvalidArgument(f"{path}.{name}", f"is unknown; known are X, Y and Z{pairs}")
        if not 0 <= probability <= 1:
            raise InvalidArgument(f"{path}.{name}", f"must be 0 to 1, is {probability:.16g}")
    if len({len(name) for name in message.pauli}) > 1:
        raise InvalidArgument(path, "must have either single letters or pairs, not both")
    total = math.fsum(message.pauli.values())
    if total > 1 + _ROUNDING:
        raise InvalidArgument(path, f"must have a sum of at most 1, has {total:.16g}")
    return tuple(sorted(message.pauli.items()))


def _number(key: str, path: str) -> int:
    if _QUBIT.fullmatch(key) is None:
        raise InvalidArgument(path, "must be the number of a qubit, such as 0")
    return int(key)


def _qubit(message: run_options_pb2.QubitNoise, path: str) -> QubitNoise:
    return QubitNoise(
        given(message, "t1_us"),
        given(message, "t2_us"),
        _readout(message, f"{path}.readout") if message.readout else None,
    )


def _readout(message: run_options_pb2.QubitNoise, path: str) -> Readout:
    rows = [[value.number_value for value in row.values] for row in message.readout]
    kinds = {value.WhichOneof("kind") for row in message.readout for value in row.values}
    if kinds != {"number_value"} or [len(row) for row in rows] != [2, 2]:
        raise InvalidArgument(path, "must be two rows of two numbers: [[P00, P01], [P10, P11]]")
    for index, row in enumerate(rows):
        if not all(0 <= probability <= 1 for probability in row):
            raise InvalidArgument(f"{path}[{index}]", f"must have numbers from 0 to 1, is {row}")
        if abs(math.fsum(row) - 1) > _ROUNDING:
            raise InvalidArgument(
                f"{path}[{index}]", f"must have the sum 1, has {math.fsum(row):.16g}"
            )
    (right_0, wrong_0), (wrong_1, right_1) = rows
    return (right_0, wrong_0), (wrong_1, right_1)
