"""Evolves the states of many points, and differentiates expectation values by adjoint states.

A state has the shape amplitudes x points, or amplitudes x observables x points: so each operation
works on long runs of adjacent numbers, on any qubit.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.batch.phases import Phases, State
from quantcloud.backends.local.batch.plan import Plan, Turns
from quantcloud.backends.local.batch.turns import Matrices, TurnMatrices
from quantcloud.backends.simulation.sweep.values import Floats


class Engine:
    """Runs a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dtype = np.float64 if plan.is_real else np.complex128
        self._turns = TurnMatrices(plan.turns, real=plan.is_real)
        # The layers whose derivatives are needed.
        self._kept = [
            place
            for place, step in enumerate(plan.steps)
            if (
                not all(turn.is_fixed for turn in step.turns)
                if isinstance(step, Turns)
                else len(step.columns)
            )
        ]

    @property
    def kept(self) -> int:
        """The number of states that the derivatives keep at each point."""
        return len(self._kept)

    def states(self, angles: Floats) -> State:
        """Return the states at angles of shape columns x points."""
        return self._forward(angles, self._turns.matrices(angles), self._phases(angles), None)

    def _phases(self, angles: Floats) -> list[State | None]:
        return [
            step.phases(angles) if isinstance(step, Phases) else None for step in self.plan.steps
        ]

    def _forward(
        self,
        angles: Floats,
        matrices: Matrices,
        phases: Sequence[State | None],
        keep: Callable[[int, State], None] | None,
    ) -> State:
        plan, points = self.plan, angles.shape[1]
        shape = (1 << plan.num_qubits, points)
        state: State | None = None
        spare = np.empty(shape, dtype=self.dtype)
        half = np.empty(shape[0] * points, dtype=self.dtype)
        for place, step in enumerate(plan.steps):
            if isinstance(step, Turns):
                own = matrices[step.first : step.first + len(step.turns)]
                if state is None:
                    state = _product(step, own, shape)
                else:
                    _turn(state, step, own, half)
            else:
                if state is None:
                    state = _ground(shape, self.dtype)
                before = state
                state = step.apply(state, phases[place], spare)
                spare = before if state is spare else spare
            if keep is not None:
                keep(place, state)
        return _ground(shape, self.dtype) if state is None else state

    def gradients(self, angles: Floats, apply: Callable[[State], State]) -> tuple[Floats, Floats]:
        """Return values and derivatives of observables at angles of shape columns x points.

        `apply` returns the products of the observables and a state: amplitudes x observables x
        points. The values are observables x points, the derivatives columns x those.
        """
        plan, steps = self.plan, self.plan.steps
        matrices, phases = self._turns.matrices(angles), self._phases(angles)
        kept = {place: at for at, place in enumerate(self._kept)}
        points = angles.shape[1]
        states = np.empty((len(kept), 1 << plan.num_qubits, points), dtype=self.dtype)

        def keep(place: int, state: State) -> None:
            if place in kept:
                states[kept[place]] = state

        state = self._forward(angles, matrices, phases, keep)
        adjoint = apply(state)
        values = _inner(adjoint, state[:, None])
        result = np.zeros((len(plan.angles), *adjoint.shape[1:]))
        overlaps = np.zeros((len(plan.turns), 3, *adjoint.shape[1:]))
        spare = np.empty_like(adjoint)
        half = np.empty(adjoint.size, dtype=self.dtype)
        inverse = np.conjugate(np.swapaxes(matrices, 1, 2))
        first = min(kept, default=len(steps))
        for place in range(len(steps) - 1, first - 1, -1):
            step = steps[place]
            if isinstance(step, Turns):
                if place in kept:
                    self._overlap(step, adjoint, states[kept[place]], overlaps)
                if place > first:
                    _turn(adjoint, step, inverse[step.first : step.first + len(step.turns)], half)
                continue
            if len(step.columns):
                product = np.conjugate(adjoint) * states[kept[place]][:, None]
                flat = product.imag.reshape(len(product), -1)
                slopes = (2 * step.halves) @ flat
                result[step.columns] += slopes.reshape(-1, *adjoint.shape[1:])
            before = adjoint
            adjoint = step.undo(adjoint, phases[place], spare)
            spare = before if adjoint is spare else spare
        self._turns.slopes(angles, overlaps, result)
        return values, result

    def _overlap(self, step: Turns, adjoint: State, state: State, overlaps: Floats) -> None:
        """Write Im <adjoint| pauli |state> for each turn of a layer."""
        for place, turn in enumerate(step.turns, step.first):
            if turn.is_fixed:
                continue
            zero, one = _halves(adjoint, turn.qubit)
            zero_after, one_after = _halves(state[:, None], turn.qubit)
            cross, back = _inner_product(zero, one_after), _inner_product(one, zero_after)
            overlaps[place, 1] = (back - cross).real
            if not self.plan.is_real:
                overlaps[place, 0] = (cross + back).imag
                overlaps[place, 2] = (
                    _inner_product(zero, zero_after) - _inner_product(one, one_after)
                ).imag


def _inner_product(left: State, right: State) -> NDArray[Any]:
    """Return sum(conj(left) * right) over the first two axes."""
    return np.einsum("abcp,abcp->cp", np.conjugate(left), np.broadcast_to(right, left.shape))


def _inner(left: State, right: State) -> Floats:
    return (np.conjugate(left) * right).real.sum(axis=0)


def _ground(shape: tuple[int, int], dtype: Any) -> State:
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


def _halves(state: State, qubit: int) -> tuple[State, State]:
    """Return views of a state where a qubit is 0 and where it is 1."""
    view = state.reshape(-1, 2, 1 << qubit, *state.shape[1:])
    return view[:, 0], view[:, 1]


def _turn(state: State, step: Turns, matrices: Matrices, half: State) -> None:
    """Apply a layer to a state, in place. `half` has room for a state."""
    middle = state.size // 2
    for turn, matrix in zip(step.turns, matrices, strict=True):
        zero, one = _halves(state, turn.qubit)
        into_zero = half[:middle].reshape(zero.shape)
        into_one = half[middle : 2 * middle].reshape(zero.shape)
        np.multiply(one, matrix[0, 1], out=into_zero)
        np.multiply(zero, matrix[1, 0], out=into_one)
        zero *= matrix[0, 0]
        zero += into_zero
        one *= matrix[1, 1]
        one += into_one
