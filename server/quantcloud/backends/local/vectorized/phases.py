"""Gates that exchange amplitudes and multiply them by phases, as one step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.observables import State
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.backends.simulation.unitaries import matrix


class Exchange(NamedTuple):
    """A standard gate without angles whose matrix has one element in each row."""

    name: str
    qubits: tuple[int, ...]


class ZRotation(NamedTuple):
    """A rotation about z by the angle in a column."""

    qubit: int
    column: int


class Diagonal(NamedTuple):
    """A gate that multiplies the amplitudes where its qubit is 0 and where it is 1."""

    qubit: int
    zero: complex
    one: complex


@dataclass(frozen=True, slots=True)
class Phases:
    """Amplitude i becomes that at `sources[i]`, times a phase.

    The phase is `factors[i]` times exp(-i sum(angle * sign / 2)) over the `columns` of angles.
    `halves` are columns x amplitudes of sign / 2. A field that changes nothing is None, and `back`
    inverts `sources`.
    """

    sources: NDArray[np.intp] | None
    back: NDArray[np.intp] | None
    factors: State | None
    columns: NDArray[np.intp]
    halves: Floats

    @property
    def is_fixed(self) -> bool:
        """Whether it is the same at all points."""
        return not len(self.columns)

    @property
    def is_real(self) -> bool:
        """Whether all phases are 1 or -1."""
        real = self.factors is None or not np.iscomplexobj(self.factors)
        return real and not len(self.columns)

    @classmethod
    def of(cls, gates: Sequence[Exchange | ZRotation | Diagonal], num_qubits: int) -> "Phases":
        """Join gates, in order."""
        size = 1 << num_qubits
        at = np.arange(size)
        factors = np.ones(size, dtype=np.complex128)
        columns: list[int] = []
        signs: list[NDArray[np.int64]] = []
        # From the last gate to the first, `at` says where each final amplitude was.
        for gate in reversed(gates):
            if isinstance(gate, Exchange):
                at = _before(gate, at, factors)
                continue
            ones = (at >> gate.qubit) & 1
            if isinstance(gate, Diagonal):
                factors *= np.where(ones, gate.one, gate.zero)
            else:
                columns.append(gate.column)
                signs.append(1 - 2 * ones)
        halves = np.array(signs, dtype=np.float64).reshape(len(columns), size) / 2
        moves = not np.array_equal(at, np.arange(size))
        changes = not np.array_equal(factors, np.ones(size))
        real: Any = factors.real.copy() if not factors.imag.any() else factors
        return cls(
            at if moves else None,
            np.argsort(at) if moves else None,
            real if changes else None,
            np.array(columns, dtype=np.intp),
            halves,
        )

    def phases(self, angles: Floats) -> State | None:
        """Return the phases, amplitudes x points, at angles of shape columns x points."""
        if not len(self.columns):
            return None if self.factors is None else self.factors[:, None]
        turned = self.halves.T @ angles[self.columns]
        phases = np.empty(turned.shape, dtype=np.complex128)
        np.cos(turned, out=phases.real)
        np.sin(turned, out=phases.imag)
        np.conjugate(phases, out=phases)
        if self.factors is not None:
            phases *= self.factors[:, None]
        return phases

    def apply(self, state: State, phases: State | None, spare: State) -> State:
        """Apply the step to a state; it returns `state` or `spare`, changed."""
        if self.sources is not None:
            np.take(state, self.sources, axis=0, out=spare, mode="clip")
            state = spare
        if phases is not None:
            state *= _for_state(phases, state)
        return state

    def undo(self, state: State, phases: State | None, spare: State) -> State:
        """Apply the inverse, as `apply`."""
        if phases is not None:
            state *= _for_state(np.conjugate(phases), state)
        if self.back is not None:
            np.take(state, self.back, axis=0, out=spare, mode="clip")
            state = spare
        return state


def _for_state(phases: State, state: State) -> State:
    """Give phases, amplitudes x points, the axes of a state, amplitudes x ... x points."""
    return phases.reshape(len(phases), *(1,) * (state.ndim - 2), phases.shape[-1])


def _before(gate: Exchange, at: NDArray[np.int64], factors: State) -> NDArray[np.int64]:
    """Return where amplitudes were before a gate that were at `at` after it; multiply phases."""
    name, qubits = gate
    if name in ("cx", "CX"):
        control, target = qubits
        return at ^ (((at >> control) & 1) << target)
    unitary = matrix(name)
    inside = np.zeros_like(at)
    for place, qubit in enumerate(qubits):
        inside |= ((at >> qubit) & 1) << place
    source = np.argmax(unitary != 0, axis=1)
    values = unitary[np.arange(len(unitary)), source]
    if (values != 1).any():
        factors *= values[inside]
    spread = np.zeros(len(unitary), dtype=np.int64)
    for place, qubit in enumerate(qubits):
        spread |= ((source >> place) & 1) << qubit
    mask = sum(1 << qubit for qubit in qubits)
    return at & ~mask | spread[inside]
