"""A statevector in NumPy, with gates applied in place.

A gate on k qubits divides the amplitudes into 2**k parts, one for each value of its qubits. Its
matrix says which parts it mixes. Each part is a strided view, so no amplitudes are moved to bring
the qubits together. Rows of the identity are skipped: a controlled gate changes only the part where
its controls are 1, a diagonal gate multiplies parts, and a permutation exchanges parts.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sampling import (
    Counts,
    Patterns,
    draw_bits_from_state,
    probabilities,
)
from quantcloud.backends.simulation.unitaries import Matrix, matrix
from quantcloud.circuits.ir import Operation

Amplitudes = NDArray[np.complex128]

# NumPy multiplies parts slowly if they are runs of fewer than 2**3 amplitudes. A gate on such a low
# qubit is therefore applied as a matrix on that qubit and all qubits below it.
_LOW_QUBITS = 3
# Up to this many qubits, it is faster to gather amplitudes by index than to go part by part.
_GATHERED_QUBITS = 10
# For each low qubit: what each element of a gate's matrix adds to that larger matrix.
_LOW_TERMS: list[Matrix] = [
    np.kron(
        np.eye(4, dtype=np.complex128).reshape(4, 2, 2).transpose(0, 2, 1), np.eye(1 << qubit)
    ).astype(np.complex128)
    for qubit in range(_LOW_QUBITS)
]


class _Block(NamedTuple):
    """Parts that a gate mixes with each other, and the matrix that mixes them."""

    parts: tuple[int, ...]
    mix: Matrix


class _Kernel(NamedTuple):
    """A gate as its effects on the parts of a state; all other parts are unchanged.

    `scalings` are (part, factor). `cycles` are lists of (part, factor): each part's old value times
    its factor goes to the next part of the list, and that of the last part to the first.
    """

    scalings: tuple[tuple[int, complex], ...]
    cycles: tuple[tuple[tuple[int, complex], ...], ...]
    blocks: tuple[_Block, ...]


@lru_cache(maxsize=4096)
def _kernel(name: str, params: tuple[float, ...]) -> _Kernel:
    unitary = matrix(name, params)
    if len(unitary) == 2 and unitary.all():  # noqa: PLR2004 - one qubit and no zeros
        return _Kernel((), (), (_Block((0, 1), unitary),))
    scalings: list[tuple[int, complex]] = []
    cycles: list[tuple[tuple[int, complex], ...]] = []
    blocks: list[_Block] = []
    entries = unitary.tolist()
    for parts, order, places in _mixed((unitary != 0).tobytes(), len(unitary)):
        if len(parts) == 1:
            factor = entries[parts[0]][parts[0]]
            if factor != 1:
                scalings.append((parts[0], factor))
        elif order:
            targets = (*order[1:], order[0])
            cycles.append(
                tuple([(part, entries[to][part]) for part, to in zip(order, targets, strict=True)])
            )
        else:
            blocks.append(_Block(parts, unitary[places]))
    return _Kernel(tuple(scalings), tuple(cycles), tuple(blocks))


class _Mixed(NamedTuple):
    """Parts that a gate mixes with each other, according to the zeros of its matrix.

    If the gate permutes them in a cycle, `order` is that cycle, else empty. `places` indexes their
    block of the gate's matrix.
    """

    parts: tuple[int, ...]
    order: tuple[int, ...]
    places: tuple[NDArray[np.intp], ...]


@lru_cache(maxsize=256)
def _mixed(nonzero: bytes, size: int) -> tuple[_Mixed, ...]:
    """Group the rows of a matrix that its nonzero elements connect.

    `nonzero` has a byte for each element. The result is cached, because it takes about ten times
    as long as the rest of a kernel, and a gate with other angles has the same zeros.
    """
    pattern = np.frombuffer(nonzero, dtype=np.bool_).reshape(size, size)
    linked = pattern | pattern.T
    remaining = set(range(size))
    groups: list[_Mixed] = []
    while remaining:
        group: set[int] = {remaining.pop()}
        edge = set(group)
        while edge:
            edge = {int(part) for row in edge for part in np.flatnonzero(linked[row])} - group
            group |= edge
        remaining -= group
        parts = tuple(sorted(group))
        places = np.ix_(parts, parts)
        is_cycle = np.count_nonzero(pattern[places]) == len(parts)
        groups.append(_Mixed(parts, _order(pattern, parts[0]) if is_cycle else (), places))
    return tuple(groups)


def _order(pattern: NDArray[np.bool_], start: int) -> tuple[int, ...]:
    """Return the cycle of the permutation `pattern` that begins at `start`."""
    order = [start]
    while (target := int(np.flatnonzero(pattern[:, order[-1]])[0])) != start:
        order.append(target)
    return tuple(order)


class _Geometry(NamedTuple):
    """The shape and the indices that divide a state into the parts of a gate on some qubits."""

    shape: tuple[int, ...]
    indices: tuple[tuple[int | slice, ...], ...]


@lru_cache(maxsize=8192)
def _geometry(qubits: tuple[int, ...]) -> _Geometry:
    shape: list[int] = []
    below = 0
    for qubit in sorted(qubits):
        shape += [1 << (qubit - below), 2]
        below = qubit + 1
    shape.append(-1)
    axes = {qubit: 2 * rank + 1 for rank, qubit in enumerate(sorted(qubits))}
    indices: list[tuple[int | slice, ...]] = []
    for part in range(1 << len(qubits)):
        index: list[int | slice] = [slice(None)] * len(shape)
        for position, qubit in enumerate(qubits):
            index[axes[qubit]] = (part >> position) & 1
        indices.append(tuple(reversed(index)))
    return _Geometry(tuple(reversed(shape)), tuple(indices))


# At most some megabytes.
@lru_cache(maxsize=1024)
def _places(num_qubits: int, qubits: tuple[int, ...], parts: tuple[int, ...]) -> NDArray[np.intp]:
    """Return the indices of the amplitudes of some parts of a small state, a row for each part."""
    shape, indices = _geometry(qubits)
    numbers = np.arange(1 << num_qubits).reshape(shape)
    return np.stack([numbers[indices[part]].ravel() for part in parts])


class Statevector:
    """A `branching.State` in double precision. Bit q of an index is qubit q.

    All qubits start at 0.
    """

    __slots__ = ("_spare", "amplitudes", "num_qubits")

    def __init__(self, num_qubits: int, amplitudes: Amplitudes | None = None) -> None:
        self.num_qubits = num_qubits
        if amplitudes is None:
            amplitudes = np.zeros(1 << num_qubits, dtype=np.complex128)
            amplitudes[0] = 1
        self.amplitudes = amplitudes
        self._spare: Amplitudes | None = None

    def evolve(self, gates: Sequence[Operation]) -> None:
        """Apply standard gates, in order."""
        for name, qubits, params, _, _ in gates:
            kernel = _kernel(name, params)
            if kernel.blocks and len(qubits) == 1:
                self._multiply(kernel.blocks[0].mix, qubits[0])
            else:
                self._relabel(kernel, qubits)
                if kernel.blocks:
                    self._mix(kernel.blocks, qubits)

    def copy(self) -> Self:
        return type(self)(self.num_qubits, self.amplitudes.copy())

    def flip(self, qubit: int) -> None:
        view = self.amplitudes.reshape(-1, 2, 1 << qubit)
        view[...] = view[:, ::-1, :].copy()

    def probability_of_one(self, qubit: int) -> float:
        weights = probabilities(self.amplitudes).reshape(-1, 2, 1 << qubit)
        zero, one = weights.sum(axis=(0, 2)).tolist()
        return one / (zero + one)

    def project(self, qubit: int, *, outcome: bool, probability: float) -> None:
        view = self.amplitudes.reshape(-1, 2, 1 << qubit)
        view[:, int(not outcome), :] = 0
        view[:, int(outcome), :] *= probability**-0.5

    def sample(
        self, qubits: Sequence[int], shots: int, rng: np.random.Generator
    ) -> tuple[Patterns, Counts]:
        if not qubits:
            return np.zeros(1, dtype=np.int64), np.array([shots])
        return draw_bits_from_state(self.amplitudes, qubits, shots, rng)

    def _multiply(self, mix: Matrix, qubit: int) -> None:
        spare = self._spare_array()
        if qubit < _LOW_QUBITS:
            terms = _LOW_TERMS[qubit]
            shape = (-1, 2 << qubit)
            transposed = (mix.ravel() @ terms.reshape(4, -1)).reshape(terms.shape[1:])
            np.matmul(self.amplitudes.reshape(shape), transposed, out=spare.reshape(shape))
        else:
            shape = (-1, 2, 1 << qubit)
            np.matmul(mix, self.amplitudes.reshape(shape), out=spare.reshape(shape))
        self.amplitudes, self._spare = spare, self.amplitudes

    def _spare_array(self) -> Amplitudes:
        """Return an array as large as the state; it is allocated at the first use."""
        if self._spare is None:
            self._spare = np.empty_like(self.amplitudes)
        return self._spare

    def _relabel(self, kernel: _Kernel, qubits: tuple[int, ...]) -> None:
        shape, indices = _geometry(qubits)
        view = self.amplitudes.reshape(shape)
        for part, factor in kernel.scalings:
            view[indices[part]] *= factor
        for cycle in kernel.cycles:
            end, factor = cycle[-1]
            saved = self._spare_array().reshape(shape)[indices[end]]
            _scale(view[indices[end]], factor, saved)
            for (source, scale), (target, _) in zip(cycle[-2::-1], cycle[:0:-1], strict=True):
                _scale(view[indices[source]], scale, view[indices[target]])
            view[indices[cycle[0][0]]] = saved

    def _mix(self, blocks: tuple[_Block, ...], qubits: tuple[int, ...]) -> None:
        if self.num_qubits <= _GATHERED_QUBITS:
            for parts, mix in blocks:
                places = _places(self.num_qubits, qubits, parts)
                self.amplitudes[places] = mix @ self.amplitudes[places]
            return
        shape, indices = _geometry(qubits)
        view, spare = self.amplitudes.reshape(shape), self._spare_array()
        for parts, mix in blocks:
            views = [view[indices[part]] for part in parts]
            # The spare holds the parts and their product. If it is too small, mix half by half.
            if 2 * len(parts) <= 1 << len(qubits):
                _multiply_parts(mix, views, spare)
            else:
                for half in _halves(views[0].shape):
                    _multiply_parts(mix, [each[half] for each in views], spare)


def _halves(shape: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return the indices of the two halves of an array of this shape."""
    axis = shape.index(max(shape))
    before, middle = (slice(None),) * axis, shape[axis] // 2
    return (*before, slice(middle)), (*before, slice(middle, None))


def _multiply_parts(mix: Matrix, parts: Sequence[Amplitudes], spare: Amplitudes) -> None:
    """Mix parts of a state. `spare` must have room for twice their amplitudes."""
    number, size = len(parts), parts[0].size
    old, new = spare[: 2 * number * size].reshape(2, number, size)
    for row, part in zip(old, parts, strict=True):
        row.reshape(part.shape)[...] = part
    np.matmul(mix, old, out=new)
    for row, part in zip(new, parts, strict=True):
        part[...] = row.reshape(part.shape)


def _scale(source: Amplitudes, factor: complex, target: Amplitudes) -> None:
    if factor == 1:
        target[...] = source
    else:
        np.multiply(source, factor, out=target)
