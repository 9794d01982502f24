"""Clifford circuits on any number of qubits, by Stim."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# Stim's stubs lack some types.

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import stim
from numpy.typing import NDArray

from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.clifford import clifford_steps
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import Counts, Tally
from quantcloud.circuits.ir import Operation


def _translated(operations: Iterable[Operation]) -> stim.Circuit:
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


def sample(program: Program, shots: int, seed: int, rng: np.random.Generator) -> Tally:
    """Run a Clifford `program` and count the outcomes.

    Raises `ValueError` for a gate that is not Clifford.
    """
    if program.has_control or any(each.condition is not None for each in program.body):
        return run_branches(program, StabilizerState(program.num_qubits), shots, rng)
    final = [
        Operation("measure", (qubit,), clbits=(clbit,)) for clbit, qubit in program.final.items()
    ]
    operations = (*program.body, *final)
    circuit = _translated(operations)
    measured = [operation.clbits[0] for operation in operations if operation.name == "measure"]
    column = {clbit: place for place, clbit in enumerate(measured) if clbit not in program.fixed}
    rows = circuit.compile_sampler(seed=seed).sample(shots)[:, list(column.values())]
    tally = Tally(program.num_clbits)
    tally.add(*_distinct(rows), tuple(column), program.at_end(0))
    return tally


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
        self._simulator.do(_translated(gates))

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
        return _distinct(rows)


def _distinct(rows: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Counts]:
    """Return the distinct rows and how often each occurs."""
    if not rows.shape[1]:
        return rows[:1], np.array([len(rows)])
    packed = np.ascontiguousarray(np.packbits(rows, axis=1))
    whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, counts = np.unique(whole, return_index=True, return_counts=True)
    return rows[first], counts
