"""The base class of pure states; the subclasses differ in the engine that evolves them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sampling import (
    Counts,
    Patterns,
    draw_bits_from_state,
    probabilities,
)
from quantcloud.circuits.ir import Operation

Amplitudes = NDArray[np.complexfloating[Any]]


class PureState(ABC):
    """A `branching.State` of amplitudes: bit q of an index is qubit q. All qubits start at 0.

    `sample` normalises, because single precision loses norm.
    """

    __slots__ = ("amplitudes", "num_qubits")

    precision: ClassVar[type[np.complexfloating[Any]]] = np.complex128

    def __init__(self, num_qubits: int, amplitudes: Amplitudes | None = None) -> None:
        self.num_qubits = num_qubits
        if amplitudes is None:
            amplitudes = np.zeros(1 << num_qubits, dtype=self.precision)
            amplitudes[0] = 1
        self.amplitudes: Amplitudes = amplitudes

    @abstractmethod
    def evolve(self, gates: Sequence[Operation]) -> None: ...

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
