"""Makes Aer's noise model."""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Aer has no types; Qiskit has only some.

from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from typing import Final, cast

from qiskit.circuit import ControlFlowOp, Gate, QuantumCircuit
from qiskit.quantum_info import Kraus, Pauli, SuperOp
from qiskit_aer.library.control_flow_instructions import AerJump
from qiskit_aer.noise import (
    NoiseModel,
    QuantumError,
    ReadoutError,
    amplitude_damping_error,
    depolarizing_error,
    pauli_error,
    thermal_relaxation_error,
)

from quantcloud.backends.simulation.noise import (
    MICROSECONDS,
    GateChannels,
    gate_channels,
    misreads,
    readout_of,
    relaxation_times,
)
from quantcloud.domain.execution import Noise

# Up to this many qubits Aer's density matrix is faster with the few Kraus operators of an error
# than with the many terms of the error as a mixture.
_KRAUS_QUBITS = 8
# The most terms of an error as a mixture, because each further part multiplies them.
_MOST_TERMS = 256
# By how much the terms of a mixture differ at least, relatively. No number of shots shows it.
_DIFFERENCE: Final = 1e-12

NOISELESS: Final = "change of basis"
"""The label of gates that have no noise."""
_DELAY: Final = "delay of "
_Times = tuple[float, float] | None


def delay_label(seconds: float) -> str:
    """Return the label of an identity gate that stands for idle time."""
    return f"{_DELAY}{seconds!r}"


def noise_model(noise: Noise, circuit: QuantumCircuit, method: str) -> NoiseModel:
    """Make the model of `noise` for a run of `circuit` by `method`.

    It has only the gates of `circuit`, because Aer expands every error in the model.
    """
    # Before a shot, Aer draws one term of each error that is a mixture, and a loop would have the
    # same one in all its rounds. It draws Kraus operators where it applies them.
    has_jumps = any(isinstance(each.operation, AerJump) for each in circuit.data)
    with_few_qubits = method == "density_matrix" and circuit.num_qubits <= _KRAUS_QUBITS
    as_kraus = has_jumps or with_few_qubits
    model = NoiseModel()
    placed = _placed(circuit, range(circuit.num_qubits))
    alike = all(own.t1_us is own.t2_us is None for _, own in noise.qubits)
    placed.pop(NOISELESS, None)
    for label, places in sorted(placed.items()):
        for qubits in sorted(places):
            times = tuple([relaxation_times(noise, qubit) for qubit in qubits])
            error = _error(_channels(noise, label, len(qubits)), times, as_kraus=as_kraus)
            if error is None:
                continue
            if alike:
                model.add_all_qubit_quantum_error(error, [label])
                break
            model.add_quantum_error(error, [label], qubits)
    for qubit in range(circuit.num_qubits) if misreads(noise) else ():
        if (readout := readout_of(noise, qubit)) is not None:
            model.add_readout_error(ReadoutError(readout), [qubit])
    return model


def _placed(circuit: QuantumCircuit, qubits: Sequence[int]) -> dict[str, set[tuple[int, ...]]]:
    """Return the qubits of all gates, by the labels by which Aer's model knows the gates.

    `qubits` are the numbers of the circuit's qubits.
    """
    placed: dict[str, set[tuple[int, ...]]] = {}
    for instruction in circuit.data:
        operation = instruction.operation
        on = tuple([qubits[circuit.find_bit(qubit).index] for qubit in instruction.qubits])
        if isinstance(operation, ControlFlowOp):
            for block in cast("list[QuantumCircuit]", operation.blocks):
                for label, places in _placed(block, on).items():
                    placed.setdefault(label, set()).update(places)
        elif isinstance(operation, Gate):
            placed.setdefault(operation.label or operation.name, set()).add(on)
    return placed


def _channels(noise: Noise, label: str, num_qubits: int) -> GateChannels:
    if label.startswith(_DELAY):
        return GateChannels(0.0, (), 0.0, float(label.removeprefix(_DELAY)) * MICROSECONDS)
    return gate_channels(noise, label, num_qubits)


@lru_cache(maxsize=1024)
def _error(
    channels: GateChannels, times: tuple[_Times, ...], *, as_kraus: bool
) -> QuantumError | None:
    """Return the error of a gate whose qubits have the relaxation `times`; None if it has none."""
    error: QuantumError | None = None
    for part in map(_unequal, _parts(channels, times)):
        error = part if error is None else error.compose(part)
        if error.size > _MOST_TERMS:
            error = QuantumError(Kraus(SuperOp(error)))
    return QuantumError(Kraus(SuperOp(error))) if error is not None and as_kraus else error


def _parts(channels: GateChannels, times: tuple[_Times, ...]) -> Iterable[QuantumError]:
    depolarizing, pauli, damping, time_us = channels
    width = len(times)
    mixtures: list[QuantumError] = []
    if depolarizing:
        mixtures.append(depolarizing_error(depolarizing, width))
    if pauli:
        length = len(pauli[0][0])
        rest = max(0.0, 1 - sum(probability for _, probability in pauli))
        # In Qiskit's names of operators, the last letter belongs to the first qubit.
        error = pauli_error([("I" * length, rest), *((name[::-1], each) for name, each in pauli)])
        mixtures.append(error if length == width else _together([error] * width))
    if mixtures:
        yield reduce(_mixed, mixtures)
    if damping:
        yield _together([amplitude_damping_error(damping)] * width)
    if time_us and any(times):
        yield _together(
            [
                pauli_error([("I", 1.0)])
                if each is None
                else thermal_relaxation_error(*each, time_us)
                for each in times
            ]
        )


def _unequal(mixture: QuantumError) -> QuantumError:
    """Return a mixture whose terms have slightly different probabilities.

    If one error of a model has Kraus operators, Aer makes those of all errors, as eigenvectors.
    For equal eigenvalues its solver often finds none ("Kraus is empty").
    """
    weights = [
        probability * (1 + place * _DIFFERENCE)
        for place, probability in enumerate(mixture.probabilities)
    ]
    total = sum(weights)
    terms = zip(mixture.circuits, [each / total for each in weights], strict=True)
    return QuantumError(list(terms))


def _mixed(first: QuantumError, second: QuantumError) -> QuantumError:
    """Return two mixtures of Pauli operators as one, in which each operator has one term."""
    both = first.compose(second)
    terms: dict[str, float] = {}
    for circuit, probability in zip(both.circuits, both.probabilities, strict=True):
        label = Pauli(circuit).to_label().lstrip("-i")
        terms[label] = terms.get(label, 0.0) + probability
    return pauli_error(list(terms.items()))


def _together(errors: Sequence[QuantumError]) -> QuantumError:
    """Return errors of single qubits as one of all of them, the first qubit first."""
    return reduce(lambda low, high: high.tensor(low), errors)
