"""Clifford circuits on any number of qubits, by Stim."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# Stim's stubs lack some types.

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Self

import numpy as np
import stim
from numpy.typing import NDArray

from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.clifford import clifford_steps
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import (
    Counts,
    LibraryCall,
    Sampled,
    counted,
    distinct,
    shots_in_order,
)
from quantcloud.backends.simulation.sweep.paulis import paulis
from quantcloud.backends.simulation.sweep.pointwise import Estimate
from quantcloud.circuits.ir import Operation
from quantcloud.domain.execution import Execution
from quantcloud.domain.sweep import Observable

_VERSION = version("stim")


def translated(operations: Iterable[Operation]) -> stim.Circuit:
    """Return the operations as a Stim circuit; its records are in the order of measurements.

    They go through Stim's text format, because Stim parses it faster than it appends instructions.
    """
    lines: list[str] = []
    for name, qubits, params, _, _ in operations:
        if name == "measure":
            lines.append(f"M {qubits[0]}")
        elif name == "reset":
            lines.append(f"R {qubits[0]}")
        else:
            for step, positions in clifford_steps(name, params):
                targets = " ".join([str(qubits[position]) for position in positions])
                lines.append(f"{step} {targets}")
    return stim.Circuit("\n".join(lines))


def sample(program: Program, execution: Execution, rng: np.random.Generator) -> Sampled:
    """Run a Clifford `program`. Stim samples it, unless it has conditions.

    Raises `ValueError` for a gate that is not Clifford.
    """
    shots = execution.shots
    if program.has_control or any(each.condition is not None for each in program.body):
        state = StabilizerState(program.num_qubits)
        counts = run_branches(program, state, shots, rng).counts
        memory = shots_in_order(counts, rng) if execution.options.memory else None
        return Sampled(counts, memory)
    operations = program.operations
    measured = [operation.clbits[0] for operation in operations if operation.name == "measure"]
    column = {clbit: place for place, clbit in enumerate(measured) if clbit not in program.fixed}
    sampler = translated(operations).compile_sampler(seed=execution.seed)
    rows = sampler.sample(shots)[:, list(column.values())]
    counts = counted(rows, tuple(column), program)
    call = LibraryCall(
        "stim", _VERSION, "CompiledMeasurementSampler", execution.seed, {}, submitted=False
    )
    return Sampled(counts, call=call)


def expectations(
    program: Program, observables: Sequence[Observable], *, variances: bool
) -> Estimate:
    """Return exact expectation values of a Clifford `program` before its measurements."""
    simulator = stim.TableauSimulator(seed=0)
    simulator.set_num_qubits(program.num_qubits)
    simulator.do(translated(program.body))
    sums = [_pauli_strings(each, program.num_qubits) for each in observables]
    values = np.array(
        [
            sum([weight * simulator.peek_observable_expectation(each) for each, weight in terms])
            for terms in sums
        ],
        dtype=np.float64,
    )
    if not variances:
        return Estimate(values)
    squares = np.array([_square(simulator, terms) for terms in sums])
    return Estimate(values, variances=np.maximum(squares - values**2, 0.0))


def _pauli_strings(observable: Observable, num_qubits: int) -> list[tuple[stim.PauliString, float]]:
    found: list[tuple[stim.PauliString, float]] = []
    for factors, weight in paulis(observable).items():
        string = stim.PauliString(num_qubits)
        for qubit, letter in factors:
            string[qubit] = letter
        found.append((string, weight))
    return found


def _square(
    simulator: stim.TableauSimulator, terms: Sequence[tuple[stim.PauliString, float]]
) -> float:
    """Return the expectation value of the square of a sum. Products that anticommute cancel."""
    total = 0.0
    for place, (left, weight) in enumerate(terms):
        total += weight * weight
        for right, other in terms[:place]:
            if left.commutes(right):
                value = simulator.peek_observable_expectation(left * right)
                total += 2 * weight * other * value
    return total


class StabilizerState:
    """A stabilizer state that can branch; see `branching.State`."""

    def __init__(self, num_qubits: int, simulator: stim.TableauSimulator | None = None) -> None:
        if simulator is None:
            # The simulator never draws a random outcome here, so its seed does not matter.
            simulator = stim.TableauSimulator(seed=0)
            simulator.set_num_qubits(num_qubits)
        self.num_qubits = num_qubits
        self._simulator = simulator

    def copy(self) -> Self:
        return type(self)(self.num_qubits, self._simulator.copy(copy_rng=True))

    def evolve(self, gates: Sequence[Operation]) -> None:
        self._simulator.do(translated(gates))

    def flip(self, qubit: int) -> None:
        self._simulator.x(qubit)

    def probability_of_one(self, qubit: int) -> float:
        return (1 - self._simulator.peek_z(qubit)) / 2

    def project(self, qubit: int, *, outcome: bool, probability: float) -> None:
        del probability  # a stabilizer state stays normalised
        self._simulator.postselect_z(qubit, desired_value=outcome)

    def sample(
        self, qubits: Sequence[int], shots: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.bool_], Counts]:
        """Draw outcomes, uniformly from an affine space of bitstrings.

        The outcomes of a stabilizer state are one outcome plus any sum (modulo 2) of the flips
        that lead from one branch of a random measurement to the other.
        """
        simulator = self._simulator.copy(copy_rng=True)
        origin = np.zeros(len(qubits), dtype=np.bool_)
        flips: list[NDArray[np.bool_]] = []
        for place, qubit in enumerate(qubits):
            outcome, flip = simulator.measure_kickback(qubit)
            if flip is None:
                origin[place] = outcome
                continue
            if outcome:
                simulator.do(flip)
            flips.append(flip.to_numpy()[0][list(qubits)])
        rows = np.tile(origin, (shots, 1))
        for flip in flips:
            rows ^= flip & (rng.random(shots) < 0.5)[:, None]  # noqa: PLR2004 - a fair coin
        return distinct(rows)
