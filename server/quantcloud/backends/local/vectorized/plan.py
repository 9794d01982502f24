"""Compiles a circuit to few steps, each of which NumPy applies to all points at once.

A circuit becomes layers of gates on single qubits (`Turns`), and between them gates that only
exchange and multiply amplitudes (`Phases`): cx, cz, swap, and rotations about z that no other gate
follows on their qubit. All other gates are lowered to those. Gates on the same qubit in one layer
become one matrix, and all gates of one `Phases` become one gather and one product.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np

from quantcloud.backends.local.vectorized.phases import Diagonal, Exchange, Phases, ZRotation
from quantcloud.backends.simulation.sweep.rotations import rotated
from quantcloud.backends.simulation.unitaries import Matrix, matrix
from quantcloud.circuits.angles import Angle
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, Operation


class Rotation(NamedTuple):
    """A rotation about the axis `x`, `y` or `z` by the angle in a column."""

    axis: str
    column: int


Element = Rotation | Matrix


class Turn(NamedTuple):
    """Gates on one qubit, in order."""

    qubit: int
    elements: tuple[Element, ...]

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same at all points."""
        return not any(isinstance(each, Rotation) for each in self.elements)

    @property
    def is_real(self) -> bool:
        """Whether its matrix is real."""
        return all(
            each.axis == "y" if isinstance(each, Rotation) else not each.imag.any()
            for each in self.elements
        )

    @property
    def is_diagonal(self) -> bool:
        """Whether it changes only phases."""
        return all(
            each.axis == "z" if isinstance(each, Rotation) else not (each[0, 1] or each[1, 0])
            for each in self.elements
        )


@dataclass(frozen=True, slots=True)
class Turns:
    """A layer: `turns` are on different qubits, and `first` is the number of its first turn."""

    turns: tuple[Turn, ...]
    first: int

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same at all points."""
        return all(turn.is_fixed for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a circuit on `num_qubits` qubits that all start at 0.

    `angles` are those that depend on inputs, by column. If `is_real`, all amplitudes are real.
    Global phases are left out.
    """

    num_qubits: int
    steps: tuple[Turns | Phases, ...]
    turns: tuple[Turn, ...]
    angles: tuple[Angle, ...]
    is_real: bool


@cache
def _kept() -> frozenset[str]:
    """Return the gates on several qubits that a plan takes as they are."""
    return frozenset(
        [
            name
            for name, gate in STANDARD_GATES.items()
            if gate.num_qubits > 1 and not gate.num_params and _permutes(matrix(name))
        ]
    )


def _permutes(unitary: Matrix) -> bool:
    return bool((np.count_nonzero(unitary, axis=1) == 1).all())


def compiled(circuit: Circuit, body: Sequence[Operation]) -> Plan:
    """Compile the gates of `body`, which belong to `circuit` and have no conditions."""
    compiler = _Compiler(circuit.num_qubits)
    for name, qubits, params, _, _ in rotated(circuit, body, _kept()):
        if len(qubits) == 1:
            compiler.turn(name, qubits[0], params)
        else:
            compiler.exchange(name, qubits)
    return compiler.plan()


class _Compiler:
    def __init__(self, num_qubits: int) -> None:
        self._num_qubits = num_qubits
        self._angles: list[Angle] = []
        self._pending: list[list[Element]] = [[] for _ in range(num_qubits)]
        self._steps: list[Turns | Phases] = []
        self._turns: list[Turn] = []
        # The gates of the `Phases` that is not finished.
        self._open: list[Exchange | ZRotation | Diagonal] = []
        self._known: dict[object, Phases] = {}
        self._began = False

    def turn(self, name: str, qubit: int, params: tuple[float, ...]) -> None:
        pending = self._pending[qubit]
        if params and isinstance(params[0], Angle):
            pending.append(Rotation(name[1], len(self._angles)))
            self._angles.append(params[0])
        else:
            self._fix(pending, matrix(name, params))

    @staticmethod
    def _fix(pending: list[Element], unitary: Matrix) -> None:
        if pending and not isinstance(last := pending[-1], Rotation):
            pending.pop()
            unitary = unitary @ last
        # Without a global phase more matrices are real.
        entries: list[complex] = unitary.ravel().tolist()
        largest = next(each for each in entries if abs(each) > 0.1)  # noqa: PLR2004 - not about 0
        pending.append(unitary * (abs(largest) / largest))

    def exchange(self, name: str, qubits: tuple[int, ...]) -> None:
        if any(self._pending[qubit] for qubit in qubits):
            self._flush()
        self._open.append(Exchange(name, qubits))

    def _flush(self) -> None:
        """Make a layer of all pending gates; those that change only phases need none."""
        layer: list[Turn] = []
        for qubit, elements in enumerate(self._pending):
            turn = Turn(qubit, tuple(elements))
            if not turn.is_diagonal:
                layer.append(turn)
            elif self._began or self._open:
                for each in elements:
                    self._open.append(
                        ZRotation(qubit, each.column)
                        if isinstance(each, Rotation)
                        else Diagonal(qubit, complex(each[0, 0]), complex(each[1, 1]))
                    )
            elements.clear()
        if layer:
            self._close()
            self._steps.append(Turns(tuple(layer), len(self._turns)))
            self._turns += layer
            self._began = True

    def _close(self) -> None:
        if not self._open:
            return
        gates = tuple(self._open)
        self._open.clear()
        if not self._began and not any(isinstance(each, Exchange) for each in gates):
            return
        self._began = True
        if gates not in self._known:
            self._known[gates] = Phases.of(gates, self._num_qubits)
        self._steps.append(self._known[gates])

    def plan(self) -> Plan:
        self._flush()
        self._close()
        real = all(
            all(turn.is_real for turn in step.turns) if isinstance(step, Turns) else step.is_real
            for step in self._steps
        )
        return Plan(
            self._num_qubits, tuple(self._steps), tuple(self._turns), tuple(self._angles), real
        )
