"""Exact probabilities of a circuit's outcomes, by dense matrices and without code of the backends.

Gates are Qiskit's matrices. Every branch of every measurement has a density matrix, so this works
only for a few qubits.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from qiskit.circuit import library
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from quantcloud.backends.base import Executor
from quantcloud.circuits import Circuit, expanded, with_measurements
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Operation
from quantcloud.domain.execution import Execution, GateNoise, Noise, Outcome, QubitNoise, RunOptions
from quantcloud.openqasm import parse

FALSE_ALARM = 1e-10

_GATES = get_standard_gate_name_mapping() | {
    "c3x": library.C3XGate(),
    "c3sqrtx": library.C3SXGate(),
    "c4x": library.C4XGate(),
    "rc3x": library.RC3XGate(),
    "CX": library.CXGate(),
    "U": library.UGate(0, 0, 0),
    "cu1": library.CU1Gate(0),
    "cu3": library.CU3Gate(0, 0, 0),
    "u0": library.U1Gate(0),
}


def gate_matrix(name, params):
    """Return Qiskit's matrix of a standard gate."""
    if name == "u0":
        return np.eye(2)
    gate = _GATES[name]
    return Operator(type(gate)(*params) if params else gate).data


def embedded(matrix, qubits, num_qubits):
    """Return a gate's matrix extended to all qubits."""
    indices = np.arange(1 << num_qubits)
    within = sum(((indices >> qubit) & 1) << place for place, qubit in enumerate(qubits))
    rest = indices & ~sum(1 << qubit for qubit in qubits)
    return np.where(rest[:, None] == rest[None, :], matrix[within[:, None], within[None, :]], 0)


def statevector(circuit):
    """Return the amplitudes after all gates; measurements are skipped."""
    state = np.eye(1, 1 << circuit.num_qubits, dtype=complex)[0]
    for name, qubits, params, _, condition in circuit.operations:
        assert condition is None
        if name not in ("measure", "barrier"):
            state = embedded(gate_matrix(name, params), qubits, circuit.num_qubits) @ state
    return state


def distribution(circuit, noise: Noise | None = None) -> dict[str, float]:
    """Return the probability of each bitstring."""
    width = circuit.num_qubits
    ground = np.zeros((1 << width, 1 << width), dtype=complex)
    ground[0, 0] = 1
    branches = {0: ground}
    for operation in circuit.operations:
        following: dict[int, np.ndarray] = {}
        for bits, rho in branches.items():
            for next_bits, part in _step(operation, bits, rho, width, noise):
                if next_bits in following:
                    following[next_bits] = following[next_bits] + part
                else:
                    following[next_bits] = part
        branches = {b: rho for b, rho in following.items() if np.trace(rho).real > 1e-14}
    return {
        format(bits, f"0{circuit.num_clbits}b"): float(np.trace(rho).real)
        for bits, rho in branches.items()
    }


def _step(operation: Operation, bits, rho, width, noise) -> Iterator[tuple[int, np.ndarray]]:
    name, qubits, params, clbits, condition = operation
    if name == "barrier":
        yield bits, rho
        return
    if condition is not None:
        read = (bits >> condition.offset) & ((1 << condition.size) - 1)
        if read != condition.value:
            yield bits, rho
            return
    if name in ("measure", "reset"):
        ones = (np.arange(1 << width) >> qubits[0]) & 1
        for value in (0, 1):
            keep = (ones == value).astype(float)
            part = rho * np.outer(keep, keep)
            if name == "reset":
                if value:
                    flip = embedded(gate_matrix("x", ()), qubits, width)
                    part = flip @ part @ flip
                yield bits, part
                continue
            for read, weight in enumerate(_readout(noise, qubits[0])[value]):
                yield bits & ~(1 << clbits[0]) | (read << clbits[0]), part * weight
        return
    if name == "delay":
        yield bits, _relaxed(rho, qubits, params[0] * 1e6, width, noise)
        return
    unitary = embedded(gate_matrix(name, params), qubits, width)
    rho = unitary @ rho @ unitary.conj().T
    yield bits, rho if noise is None else _disturbed(rho, name, qubits, width, noise)


def _readout(noise, qubit):
    own = dict(noise.qubits).get(qubit) if noise else None
    wrong = noise.readout if noise else 0.0
    return (own and own.readout) or ((1 - wrong, wrong), (wrong, 1 - wrong))


def _disturbed(rho, name, qubits, width, noise):
    one = len(qubits) == 1
    own = dict(noise.gates).get({"CX": "cx", "U": "u", "u0": "id"}.get(name, name)) or GateNoise()
    rate = noise.depolarizing_1q if one else noise.depolarizing_2q
    time = noise.gate_time_1q_us if one else noise.gate_time_2q_us
    rate = rate if own.depolarizing is None else own.depolarizing
    time = time if own.gate_time_us is None else own.gate_time_us
    mixed = rho
    for qubit in qubits:
        view = mixed.reshape(_axes(qubit, width))
        traced = np.einsum("abcdbf->acdf", view) / 2
        mixed = np.einsum("acdf,be->abcdef", traced, np.eye(2)).reshape(rho.shape)
    rho = (1 - rate) * rho + rate * mixed
    single = own.pauli and len(own.pauli[0][0]) == 1
    for group in [(qubit,) for qubit in qubits] if single else [qubits]:
        rho = _mixed(rho, own.pauli, group, width)
    for qubit in qubits:
        rho = _damped(rho, qubit, width, 1 - own.amplitude_damping, own.amplitude_damping)
    return _relaxed(rho, qubits, time, width, noise)


def _mixed(rho, errors, qubits, width):
    result = (1 - sum(probability for _, probability in errors)) * rho
    for name, probability in errors:
        matrix = np.eye(1)
        for letter in name:
            pauli = np.eye(2) if letter == "I" else gate_matrix(letter.lower(), ())
            matrix = np.kron(pauli, matrix)
        whole = embedded(matrix, qubits, width)
        result = result + probability * whole @ rho @ whole.conj().T
    return result


def _relaxed(rho, qubits, time, width, noise):
    for qubit in qubits:
        own = (dict(noise.qubits).get(qubit) if noise else None) or QubitNoise()
        t1_us = own.t1_us or (noise and noise.t1_us)
        t2_us = own.t2_us or (noise and noise.t2_us)
        if not t1_us and not t2_us:
            continue
        t1 = t1_us or math.inf
        kept = math.exp(-time / (t2_us or 2 * t1))
        rho = _damped(rho, qubit, width, kept**2, -math.expm1(-time / t1))
    return rho


def _damped(rho, qubit, width, coherence, decay):
    """Let a qubit decay with a probability; its coherences shrink to the root of `coherence`."""
    view = rho.reshape(_axes(qubit, width)).copy()
    view[:, 0, :, :, 0, :] += decay * view[:, 1, :, :, 1, :]
    view[:, 1, :, :, 1, :] *= 1 - decay
    view[:, 0, :, :, 1, :] *= math.sqrt(coherence)
    view[:, 1, :, :, 0, :] *= math.sqrt(coherence)
    return view.reshape(rho.shape)


def density_matrix(circuit, noise: Noise) -> np.ndarray:
    """Return the state before the measurements, which come last, with the noise of the gates."""
    width = circuit.num_qubits
    rho = np.zeros((1 << width, 1 << width), dtype=complex)
    rho[0, 0] = 1
    for operation in circuit.operations:
        if operation.name != "measure":
            ((_, rho),) = _step(operation, 0, rho, width, noise)
    return rho


def _axes(qubit, width):
    high, low = 1 << (width - qubit - 1), 1 << qubit
    return high, 2, low, high, 2, low


def with_header(source: str) -> str:
    """Return a program: `source` is one of OpenQASM 3, or statements of OpenQASM 2."""
    if source.startswith("OPENQASM 3"):
        return source
    return 'OPENQASM 2.0;\ninclude "qelib1.inc";\n' + source


def read(source: str) -> Circuit:
    """Parse a circuit into the form that executors take."""
    return expanded(with_measurements(parse(with_header(source))))


def run(executor: Executor, method: str, circuit, shots=1024, seed=11, **options) -> Outcome:
    execution = Execution("job", "backend", method, "", shots, seed, RunOptions(**options))
    return executor.run(circuit, execution)


def distance(counts: Mapping[str, int], exact: Mapping[str, float]) -> float:
    """Return the total variation distance."""
    shots = sum(counts.values())
    keys = counts.keys() | exact.keys()
    return sum(abs(counts.get(key, 0) / shots - exact.get(key, 0.0)) for key in keys) / 2


def tolerance(exact: Mapping[str, float], shots: int) -> float:
    """Return a distance that the right distribution exceeds with probability FALSE_ALARM.

    The mean distance is at most sum(sqrt(p (1 - p) / shots)) / 2. One shot changes the distance by
    at most 1 / shots, so McDiarmid's inequality bounds the deviation from the mean.
    """
    mean = sum(math.sqrt(max(p * (1 - p), 0.0) / shots) for p in exact.values()) / 2
    return mean + math.sqrt(math.log(1 / FALSE_ALARM) / (2 * shots))


def assert_agrees(outcome: Outcome, exact: Mapping[str, float], shots: int) -> None:
    assert sum(outcome.counts.values()) == shots
    assert {len(key) for key in outcome.counts} == {len(next(iter(exact)))}
    # Single precision and tolerances of angles may allow impossible outcomes, but only rarely.
    assert distance(outcome.counts, exact) <= tolerance(exact, shots)


def every_gate(num_qubits: int, rng: np.random.Generator, names=None) -> str:
    """Return a circuit of all standard gates with random angles on random qubits.

    Rotations in between keep any symmetry from hiding a mistake.
    """
    lines = [f"qreg q[{num_qubits}]; creg c[{num_qubits}];"]
    lines += [_call("u", rng.uniform(0.4, 2.6, 3), [qubit]) for qubit in range(num_qubits)]
    order = sorted(STANDARD_GATES if names is None else names)
    rng.shuffle(order)
    for name in order:
        gate = STANDARD_GATES[name]
        if gate.num_qubits > num_qubits:
            continue
        qubits = rng.permutation(num_qubits)[: gate.num_qubits]
        lines.append(_call(name, rng.uniform(-6, 6, gate.num_params), qubits))
        lines.append(_call("u3", rng.uniform(0.4, 2.6, 3), [rng.choice(qubits)]))
    lines.append("measure q -> c;")
    return "\n".join(lines)


def _call(name, params, qubits) -> str:
    angles = f"({','.join(repr(float(angle)) for angle in params)})" if len(params) else ""
    return f"{name}{angles} {','.join(f'q[{qubit}]' for qubit in qubits)};"
