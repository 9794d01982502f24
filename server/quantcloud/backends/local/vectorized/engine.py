"""Evolves the states of many points, and differentiates expectation values by adjoint states.

A state has the shape amplitudes x points, or amplitudes x observables x points: so each operation
works on long runs of adjacent numbers, on any qubit.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, cast

import numpy as np

from quantcloud.backends.local.vectorized.layers import LayerMatrices, Layers
from quantcloud.backends.local.vectorized.phases import Phases, State
from quantcloud.backends.local.vectorized.plan import Plan, Turns
from quantcloud.backends.local.vectorized.turns import Matrices, TurnMatrices
from quantcloud.backends.simulation.sweep.observables import inner
from quantcloud.backends.simulation.sweep.values import Floats

# The inner products over the amplitudes: layers x observables x points.
_SUM: Final = "labcp,labp->lcp"


class _QubitTurns(NamedTuple):
    """Turns of one qubit: in which rows of the states they are, and their numbers."""

    qubit: int
    rows: slice | list[int]
    numbers: list[int]


class Engine:
    """Runs a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dtype = _dtype(real=plan.is_real)
        self._turns = TurnMatrices(plan.turns, real=plan.is_real)
        self._layers = Layers(plan)
        # The steps whose derivatives are needed, in order.
        needed = [place for place, step in enumerate(plan.steps) if not step.is_fixed]
        self._kept = {place: at for at, place in enumerate(needed)}
        self._kept_turns = self._turns_of(needed)

    @property
    def kept(self) -> int:
        """The number of states that the derivatives keep at each point."""
        return len(self._kept)

    def states(self, angles: Floats) -> State:
        """Return the states at angles of shape columns x points."""
        layers = self._layers.at(self._turns.matrices(angles))
        return self._forward(angles, layers, self._phases(angles), None)

    def _phases(self, angles: Floats) -> list[State | None]:
        return [
            step.phases(angles) if isinstance(step, Phases) else None for step in self.plan.steps
        ]

    def _forward(
        self,
        angles: Floats,
        layers: LayerMatrices,
        phases: Sequence[State | None],
        states: State | None,
    ) -> State:
        plan, points = self.plan, angles.shape[1]
        shape = (1 << plan.num_qubits, points)
        state: State | None = None
        spare = np.empty(shape, dtype=self.dtype)
        for place, step in enumerate(plan.steps):
            if isinstance(step, Turns):
                if state is None:
                    state = _product(step, layers.turns(step), shape)
                else:
                    state, spare = layers.apply(step, state, spare)
            else:
                if state is None:
                    state = _ground(shape, self.dtype)
                before = state
                state = step.apply(state, phases[place], spare)
                spare = before if state is spare else spare
            if states is not None and len(states) and place in self._kept:
                states[self._kept[place]] = state
        return _ground(shape, self.dtype) if state is None else state

    def gradients(
        self, angles: Floats, apply: Callable[[State], State], *, store: bool = True
    ) -> tuple[Floats, Floats]:
        """Return values and derivatives of observables at angles of shape columns x points.

        `apply` returns the products of the observables and a state: amplitudes x observables x
        points. The values are observables x points, the derivatives columns x those. Without
        `store` the states of the layers are computed again, which needs less memory.
        """
        plan = self.plan
        layers = self._layers.at(self._turns.matrices(angles))
        phases = self._phases(angles)
        shape = (1 << plan.num_qubits, angles.shape[1])
        states = np.empty((len(self._kept) if store else 0, *shape), dtype=self.dtype)
        state = self._forward(angles, layers, phases, states)
        adjoint = apply(state)
        values = inner(adjoint, state[:, None])
        result = np.zeros((len(plan.angles), *adjoint.shape[1:]))
        overlaps = np.zeros((len(plan.turns), 3, *adjoint.shape[1:]))
        adjoints = np.empty((len(states), *adjoint.shape), dtype=self.dtype)
        inverse = layers.inverse()
        moving = [_Moving(adjoint)] if store else [_Moving(adjoint), _Moving(state)]
        first = min(self._kept, default=len(plan.steps))
        for place in range(len(plan.steps) - 1, first - 1, -1):
            step, kept = plan.steps[place], self._kept.get(place)
            adjoint = moving[0].state
            if kept is not None:
                state = states[kept] if store else moving[1].state
                if isinstance(step, Phases):
                    _add_slopes(step, adjoint, state, result)
                elif store:
                    adjoints[kept] = adjoint
                else:
                    turns = self._turns_of([place])
                    self._overlap(turns, adjoint[None], state[None], overlaps)
            for each in moving if place > first else ():
                each.undo(step, inverse, phases[place])
        if store:
            self._overlap(self._kept_turns, adjoints, states, overlaps)
        self._turns.slopes(angles, overlaps, result)
        return values, result

    def _turns_of(self, places: Sequence[int]) -> list[_QubitTurns]:
        """Return the turns with derivatives in some steps, by qubit."""
        found: dict[int, tuple[list[int], list[int]]] = {}
        for at, place in enumerate(places):
            step = self.plan.steps[place]
            for number, turn in (
                enumerate(step.turns, step.first) if isinstance(step, Turns) else ()
            ):
                if not turn.is_fixed:
                    rows, numbers = found.setdefault(turn.qubit, ([], []))
                    rows.append(at)
                    numbers.append(number)
        return [
            _QubitTurns(qubit, slice(None) if len(rows) == len(places) else rows, numbers)
            for qubit, (rows, numbers) in found.items()
        ]

    def _overlap(
        self, turns: Sequence[_QubitTurns], adjoints: State, states: State, overlaps: Floats
    ) -> None:
        """Write Im <adjoint| pauli |state> for turns of some layers."""
        conjugate = np.conjugate(adjoints)
        for qubit, rows, numbers in turns:
            left, right = conjugate[rows], states[rows]
            left = left.reshape(len(left), -1, 2, 1 << qubit, *left.shape[2:])
            right = right.reshape(len(right), -1, 2, 1 << qubit, right.shape[-1])
            cross = np.einsum(_SUM, left[:, :, 0], right[:, :, 1])
            back = np.einsum(_SUM, left[:, :, 1], right[:, :, 0])
            overlaps[numbers, 1] = (back - cross).real
            if not self.plan.is_real:
                zero = np.einsum(_SUM, left[:, :, 0], right[:, :, 0])
                one = np.einsum(_SUM, left[:, :, 1], right[:, :, 1])
                overlaps[numbers, 0] = (cross + back).imag
                overlaps[numbers, 2] = (zero - one).imag


class _Moving:
    """A state on its way back through a plan."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._spare = np.empty_like(state)

    def undo(self, step: Turns | Phases, inverse: LayerMatrices, phases: State | None) -> None:
        if isinstance(step, Turns):
            self.state, self._spare = inverse.apply(step, self.state, self._spare)
            return
        before = self.state
        self.state = step.undo(before, phases, self._spare)
        if self.state is self._spare:
            self._spare = before


def _add_slopes(step: Phases, adjoint: State, state: State, result: Floats) -> None:
    """Add the derivatives by the angles of rotations about z."""
    product = (np.conjugate(adjoint) * state[:, None]).imag
    slopes = (2 * step.halves) @ product.reshape(len(product), -1)
    result[step.columns] += slopes.reshape(-1, *adjoint.shape[1:])


def _dtype(*, real: bool) -> np.dtype[np.complex128]:
    """Return the type of amplitudes; see `State`."""
    return cast("np.dtype[np.complex128]", np.dtype(np.float64 if real else np.complex128))


def _ground(shape: tuple[int, int], dtype: np.dtype[np.complex128]) -> State:
    state = np.zeros(shape, dtype=dtype)
    state[0] = 1
    return state


def _product(step: Turns, matrices: Matrices, shape: tuple[int, int]) -> State:
    """Return the state after a first layer: each of its qubits was 0."""
    state = np.ones((1, shape[1]), dtype=matrices.dtype)
    turned = {turn.qubit: matrix for turn, matrix in zip(step.turns, matrices, strict=True)}
    for qubit in range(shape[0].bit_length() - 1):
        size = len(state)
        larger = np.zeros((2 * size, shape[1]), dtype=matrices.dtype)
        matrix = turned.get(qubit)
        if matrix is None:
            larger[:size] = state
        else:
            np.multiply(state, matrix[0, 0], out=larger[:size])
            np.multiply(state, matrix[1, 0], out=larger[size:])
        state = larger
    return state
