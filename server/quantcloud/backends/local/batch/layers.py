"""Applies layers of gates on single qubits to states.

For many points it goes qubit by qubit, because all points share the overhead of an operation. For
one point it joins neighbouring qubits: one product of matrices takes the place of several passes.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.batch.costs import TOGETHER
from quantcloud.backends.local.batch.phases import State
from quantcloud.backends.local.batch.plan import Plan, Turns
from quantcloud.backends.local.batch.turns import Matrices

# From this many qubits on, qubits are joined.
_JOINED_FROM: Final = 2


class _Group(NamedTuple):
    """Qubits from `low` on that are joined, and for each its turns: layers and their numbers."""

    low: int
    turns: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]


class Joint(NamedTuple):
    """The matrices of the qubits from `low` on: layers x size x size."""

    low: int
    matrices: State


class Layers:
    """The layers of a plan."""

    def __init__(self, plan: Plan) -> None:
        layers = [step for step in plan.steps if isinstance(step, Turns)]
        self._places = {step.first: place for place, step in enumerate(layers)}
        self._groups = [_group(layers, qubits) for qubits in _divided(plan.num_qubits)]
        self._joins = plan.num_qubits >= _JOINED_FROM

    def at(self, matrices: Matrices) -> "LayerMatrices":
        """Return the layers with the matrices of their turns: turns x 2 x 2 x points."""
        joint: tuple[Joint, ...] = ()
        if self._joins and matrices.shape[-1] == 1:
            joint = tuple([self._joint(group, matrices[..., 0]) for group in self._groups])
        return LayerMatrices(self._places, matrices, joint)

    def _joint(self, group: _Group, matrices: Matrices) -> Joint:
        number = len(self._places)
        result = np.ones((number, 1, 1), dtype=matrices.dtype)
        for layers, turns in group.turns:
            own = np.zeros((number, 2, 2), dtype=matrices.dtype)
            own[:, 0, 0] = own[:, 1, 1] = 1
            own[layers] = matrices[turns]
            size = 2 * result.shape[1]
            product = own[:, :, None, :, None] * result[:, None, :, None, :]
            result = product.reshape(number, size, size)
        return Joint(group.low, result)


def _divided(num_qubits: int) -> list[range]:
    """Divide qubits into groups of about the same size."""
    number = math.ceil(num_qubits / TOGETHER)
    ends = [num_qubits * place // number for place in range(number + 1)]
    return [range(first, last) for first, last in pairwise(ends)]


def _group(layers: Sequence[Turns], qubits: range) -> _Group:
    found: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    for qubit in qubits:
        turns = [
            (place, number)
            for place, step in enumerate(layers)
            for number, turn in enumerate(step.turns, step.first)
            if turn.qubit == qubit
        ]
        places = np.array(turns, dtype=np.intp).reshape(-1, 2)
        found.append((places[:, 0], places[:, 1]))
    return _Group(qubits.start, tuple(found))


class LayerMatrices:
    """Layers at some points."""

    def __init__(self, places: dict[int, int], matrices: Matrices, joint: Sequence[Joint]) -> None:
        self._places = places
        self._matrices = matrices
        self._joint = joint

    def inverse(self) -> Self:
        """Return the inverse of each layer."""
        joint = [
            Joint(low, np.conjugate(np.swapaxes(matrices, 1, 2))) for low, matrices in self._joint
        ]
        inverse = np.conjugate(np.swapaxes(self._matrices, 1, 2))
        return type(self)(self._places, inverse, joint)

    def turns(self, step: Turns) -> Matrices:
        """Return the matrices of the turns of a layer."""
        return self._matrices[step.first : step.first + len(step.turns)]

    def apply(self, step: Turns, state: State, spare: State) -> tuple[State, State]:
        """Apply a layer; both arrays may change. Returns the new state and the other array."""
        if not self._joint:
            _turn(state, step, self.turns(step), spare.reshape(-1))
            return state, spare
        place = self._places[step.first]
        rest = math.prod(state.shape[1:])
        for low, matrices in self._joint:
            matrix = matrices[place]
            size, below = len(matrix), rest << low
            if below == 1:
                np.matmul(state.reshape(-1, size), matrix.T, out=spare.reshape(-1, size))
            else:
                shape = (-1, size, below)
                np.matmul(matrix, state.reshape(shape), out=spare.reshape(shape))
            state, spare = spare, state
        return state, spare


def _halves(state: State, qubit: int) -> tuple[State, State]:
    """Return views of a state where a qubit is 0 and where it is 1."""
    view = state.reshape(-1, 2, 1 << qubit, *state.shape[1:])
    return view[:, 0], view[:, 1]


def _turn(state: State, step: Turns, matrices: Matrices, spare: State) -> None:
    """Apply a layer to a state, in place."""
    middle = state.size // 2
    for turn, matrix in zip(step.turns, matrices, strict=True):
        zero, one = _halves(state, turn.qubit)
        into_zero = spare[:middle].reshape(zero.shape)
        into_one = spare[middle:].reshape(zero.shape)
        np.multiply(one, matrix[0, 1], out=into_zero)
        np.multiply(zero, matrix[1, 0], out=into_one)
        zero *= matrix[0, 0]
        zero += into_zero
        one *= matrix[1, 1]
        one += into_one
