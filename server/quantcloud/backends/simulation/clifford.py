"""Decomposes Clifford gates into Stim's gates."""

from functools import lru_cache

import stim

from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.gates import is_clifford

Steps = tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=1024)
def clifford_steps(name: str, params: tuple[float, ...]) -> Steps:
    """Return a gate as Stim gates: their names and their positions among the gate's qubits.

    Raises `ValueError` if the gate is not Clifford.
    """
    # Stim's own check accepts some gates that are not Clifford.
    if not is_clifford(name, params):
        angles = f"({', '.join(map(str, params))})" if params else ""
        raise ValueError(
            f"the stabilizer method runs only Clifford gates, and {name}{angles} is not one"
        )
    tableau = stim.Tableau.from_unitary_matrix(matrix(name, params), endian="little")
    steps: list[tuple[str, tuple[int, ...]]] = []
    for instruction in tableau.to_circuit():
        assert isinstance(instruction, stim.CircuitInstruction)  # noqa: S101 - it has no loops
        arity = 2 if stim.gate_data(instruction.name).is_two_qubit_gate else 1
        targets = [target.value for target in instruction.targets_copy()]
        steps += [
            (instruction.name, tuple(targets[start : start + arity]))
            for start in range(0, len(targets), arity)
        ]
    return tuple(steps)
