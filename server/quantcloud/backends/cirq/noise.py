"""Noise: density matrices by Cirq and trajectories by qsim."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
# pyright: reportUnknownVariableType=false, reportAttributeAccessIssue=false
# pyright: reportUnknownArgumentType=false
# qsim is a compiled module without stubs; Cirq is annotated only in part.

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Self

import cirq
import numpy as np
from numpy.typing import NDArray
from qsimcirq import qsim
from qsimcirq.qsim_simulator import QSimOptions

from quantcloud.backends.cirq.limits import MOST_GATES_KEPT
from quantcloud.backends.cirq.qsim import flattened, qsim_order
from quantcloud.backends.simulation.amplitudes import PureState
from quantcloud.backends.simulation.noise import relaxation
from quantcloud.backends.simulation.sampling import Counts, Patterns, draw_bits
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.ir import Operation
from quantcloud.domain.execution import Noise

_QSIM_OPTIONS = QSimOptions(cpu_threads=1, max_fused_gate_size=2).as_dict()
_MAX_QSIM_SEED = 1 << 31


class TrajectoryCircuits:
    """A bounded cache of gate sequences in qsim's form, for all shots of a run.

    With mid-circuit measurements, there may be as many sequences as outcomes.
    """

    def __init__(self, num_qubits: int, noise: Noise) -> None:
        self._num_qubits = num_qubits
        self._noise = noise
        self._kept: dict[tuple[Operation, ...], Any] = {}
        self._gates = 0

    def of(self, gates: Sequence[Operation]) -> Any:
        """Return the noisy circuit of these gates."""
        key = tuple(gates)
        circuit = self._kept.get(key)
        if circuit is None:
            circuit = _noisy_circuit(self._num_qubits, gates, self._noise)
            # The first is kept whatever its length: most circuits have no other.
            if not self._kept or self._gates + len(key) <= MOST_GATES_KEPT:
                self._kept[key] = circuit
                self._gates += len(key)
        return circuit


@lru_cache(maxsize=256)
def channels(noise: Noise, num_qubits: int) -> tuple[tuple[cirq.Gate, tuple[int, ...]], ...]:
    """Return the channels, and their positions, that follow a gate on 1 or 2 qubits."""
    rate, time_us = (
        (noise.depolarizing_1q, noise.gate_time_1q_us)
        if num_qubits == 1
        else (noise.depolarizing_2q, noise.gate_time_2q_us)
    )
    result: list[tuple[cirq.Gate, tuple[int, ...]]] = []
    if rate:
        # The maximally mixed state is an even mixture of all Pauli errors, including the identity.
        paulis = 4**num_qubits
        depolarize = cirq.depolarize(rate * (paulis - 1) / paulis, n_qubits=num_qubits)
        result.append((depolarize, tuple(range(num_qubits))))
    relaxed = relaxation(noise, time_us)
    if relaxed is not None:
        for position in range(num_qubits):
            result.append((cirq.amplitude_damp(relaxed.decay), (position,)))
            result.append((cirq.phase_flip(relaxed.dephasing), (position,)))
    return tuple(result)


@lru_cache(maxsize=4096)
def _gate(name: str, params: tuple[float, ...]) -> cirq.Gate:
    return cirq.MatrixGate(matrix(name, params), unitary_check=False)


class DensityMatrix:
    """A mixed state in double precision that can branch; see `branching.State`."""

    def __init__(
        self, num_qubits: int, noise: Noise, elements: NDArray[np.complex128] | None = None
    ) -> None:
        if elements is None:
            elements = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=np.complex128)
            elements[0, 0] = 1
        self.num_qubits = num_qubits
        self._noise = noise
        self._elements = elements
        self._simulator = cirq.DensityMatrixSimulator(dtype=np.complex128)
        # In Cirq the first qubit is the highest bit.
        self._qubits = cirq.LineQubit.range(num_qubits)
        self._order = self._qubits[::-1]

    def copy(self) -> Self:
        return type(self)(self.num_qubits, self._noise, self._elements.copy())

    def evolve(self, gates: Sequence[Operation]) -> None:
        circuit = cirq.Circuit(cirq.Moment(operation) for operation in self._noisy(gates))
        result = self._simulator.simulate(
            circuit, qubit_order=self._order, initial_state=self._elements
        )
        self._elements = result.final_density_matrix

    def _noisy(self, gates: Sequence[Operation]) -> Iterator[cirq.Operation]:
        for name, indices, params, _, _ in gates:
            qubits = [self._qubits[index] for index in indices]
            yield _gate(name, params).on(*reversed(qubits))
            for channel, positions in channels(self._noise, len(qubits)):
                yield channel.on(*(qubits[position] for position in positions))

    def flip(self, qubit: int) -> None:
        view = self._elements.reshape(self._axes(qubit))
        view[...] = view[:, ::-1, :, :, ::-1, :].copy()

    def probability_of_one(self, qubit: int) -> float:
        weights = self._elements.diagonal().real.reshape(-1, 2, 1 << qubit)
        zero, one = weights.sum(axis=(0, 2)).tolist()
        return one / (zero + one)

    def project(self, qubit: int, *, outcome: bool, probability: float) -> None:
        view = self._elements.reshape(self._axes(qubit))
        view[:, int(not outcome)] = 0
        view[:, :, :, :, int(not outcome)] = 0
        self._elements /= probability

    def sample(
        self, qubits: Sequence[int], shots: int, rng: np.random.Generator
    ) -> tuple[Patterns, Counts]:
        if not qubits:
            return np.zeros(1, dtype=np.int64), np.array([shots])
        weights = np.maximum(self._elements.diagonal().real, 0.0)
        return draw_bits(weights, qubits, shots, rng)

    def _axes(self, qubit: int) -> tuple[int, ...]:
        high, low = 1 << (self.num_qubits - qubit - 1), 1 << qubit
        return (high, 2, low, high, 2, low)


class Trajectory(PureState):
    """A quantum trajectory in single precision: the pure state of one shot under random noise."""

    __slots__ = ("_circuits", "_rng")

    precision = np.complex64

    def __init__(
        self,
        num_qubits: int,
        rng: np.random.Generator,
        circuits: TrajectoryCircuits,
    ) -> None:
        """Start with all qubits at 0; `circuits` caches translated gates across shots."""
        super().__init__(num_qubits)
        self._rng = rng
        self._circuits = circuits

    def copy(self) -> Self:
        raise NotImplementedError("a single shot does not branch")

    def evolve(self, gates: Sequence[Operation]) -> None:
        circuit = self._circuits.of(gates)
        seed = int(self._rng.integers(_MAX_QSIM_SEED))
        result = qsim.qtrajectory_simulate_fullstate(
            {**_QSIM_OPTIONS, "c": circuit, "s": seed},
            self.amplitudes.view(np.float32),
        )
        self.amplitudes = result.view(np.complex64)


def _noisy_circuit(num_qubits: int, gates: Sequence[Operation], noise: Noise) -> Any:
    circuit = qsim.NoisyCircuit()
    circuit.num_qubits = num_qubits
    time = 0
    for name, qubits, params, _, _ in gates:
        unitary = flattened(matrix(name, params))
        qsim.add_matrix_gate_channel(time, qsim_order(qubits), unitary, circuit)
        time += 1
        for channel, positions in channels(noise, len(qubits)):
            where = [qubits[position] for position in positions]
            qsim.add_channel(time, where[::-1], _kraus(channel), circuit)
            time += 1
    return circuit


@lru_cache(maxsize=256)
def _kraus(channel: cirq.Gate) -> list[tuple[float, list[float], bool]]:
    """Return a channel for qsim: lower bounds of probabilities, operators, whether unitary."""
    if cirq.has_mixture(channel):
        return [
            (float(probability), flattened(np.asarray(unitary, dtype=np.complex128)), True)
            for probability, unitary in cirq.mixture(channel)
        ]
    return [
        (
            float(np.linalg.svd(operator)[1].min() ** 2),
            flattened(np.asarray(operator, dtype=np.complex128)),
            False,
        )
        for operator in cirq.kraus(channel)
    ]
