"""Clifford gates as the gates of Stim."""

from functools import lru_cache

import stim

from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.gates import is_clifford

Steps = tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=1024)
def clifford_steps(name: str, params: tuple[float, ...]) -> Steps:
    """A gate as gates of Stim: their names and their positions among the gate's qubits."""
    # Stim's own check lets some gates pass that are not Clifford.
    if not is_clifford(name, params):
        angles = f"({', '.join(map(str, params))})" if params else ""
        raise ValueError(
            f"the stabilizer method runs Clifford gates only, and {name}{angles} is none"
        )
    tableau = stim.Tableau.from_unitary_matrix(matrix(name, params), endian="little")
    steps: list[tuple[str, tuple[int, ...]]] = []
    for instruction in tableau.to_circuit():
        assert isinstance(instruction, stim.CircuitInstruction)  # noqa: S101 - no loops in it
        arity = 2 if stim.gate_data(instruction.name).is_two_qubit_gate else 1
        targets = [target.value for target in instruction.targets_copy()]
        steps += [
            (instruction.name, tuple(targets[start : start + arity]))
            for start in range(0, len(targets), arity)
        ]
    return tuple(steps)
