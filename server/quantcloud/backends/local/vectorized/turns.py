"""The matrices of gates on single qubits, for all points, and derivatives by their angles."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.vectorized.plan import Rotation, Turn
from quantcloud.backends.simulation.sweep.values import Floats

Matrices = NDArray[Any]
"""Matrices of shape turns x points x 2 x 2."""

_PAULI: Final = {
    "x": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}
# Real rotations are about y.
_REAL_Y: Final = np.array([[0, -1.0], [1.0, 0]])


class _Kind(NamedTuple):
    """Turns that are alike: the same kinds of elements, in the same order.

    `places` are their numbers. `elements` has for each element the columns of all turns, or their
    fixed matrices.
    """

    places: NDArray[np.intp]
    axes: tuple[str, ...]
    elements: tuple[NDArray[Any], ...]


class TurnMatrices:
    """Computes the matrices of all turns of a plan at once."""

    def __init__(self, turns: Sequence[Turn], *, real: bool) -> None:
        self._number = len(turns)
        self._real = real
        self._dtype = np.float64 if real else np.complex128
        alike: dict[tuple[str, ...], list[int]] = {}
        for place, turn in enumerate(turns):
            axes = [each.axis if isinstance(each, Rotation) else "" for each in turn.elements]
            alike.setdefault(tuple(axes), []).append(place)
        self._kinds = [self._kind(turns, axes, places) for axes, places in alike.items()]

    def _kind(self, turns: Sequence[Turn], axes: tuple[str, ...], places: list[int]) -> _Kind:
        elements: list[NDArray[Any]] = []
        for at, axis in enumerate(axes):
            own = [turns[place].elements[at] for place in places]
            if axis:
                columns = [each.column for each in own if isinstance(each, Rotation)]
                elements.append(np.array(columns, dtype=np.intp))
            else:
                fixed = np.array([each for each in own if not isinstance(each, Rotation)])
                elements.append((fixed.real if self._real else fixed)[:, None])
        return _Kind(np.array(places, dtype=np.intp), axes, tuple(elements))

    def matrices(self, angles: Floats) -> Matrices:
        """Return the matrices, turns x 2 x 2 x points, at angles of shape columns x points."""
        cosines, sines = np.cos(angles / 2), np.sin(angles / 2)
        result = np.empty((self._number, 2, 2, angles.shape[1]), dtype=self._dtype)
        for places, axes, elements in self._kinds:
            product = self._element(axes[0], elements[0], cosines, sines)
            for axis, element in zip(axes[1:], elements[1:], strict=True):
                product = self._element(axis, element, cosines, sines) @ product
            result[places] = product.transpose(0, 2, 3, 1)
        return result

    def _element(self, axis: str, element: NDArray[Any], cosines: Floats, sines: Floats) -> Any:
        if not axis:
            return element
        cosine, sine = cosines[element], sines[element]
        result = np.zeros((*cosine.shape, 2, 2), dtype=self._dtype)
        result[..., 0, 0] = result[..., 1, 1] = cosine
        if axis == "y":
            result[..., 0, 1], result[..., 1, 0] = -sine, sine
        elif axis == "x":
            result[..., 0, 1] = result[..., 1, 0] = -1j * sine
        else:
            result[..., 0, 0] -= 1j * sine
            result[..., 1, 1] += 1j * sine
        return result

    def slopes(self, angles: Floats, overlaps: Floats, result: Floats) -> None:
        """Add the derivatives by the angles to `result`, columns x observables x points.

        `overlaps` has for each turn Im <adjoint| pauli |state> after it, for x, y and z: turns x 3
        x observables x points. Only that for y is read if all matrices are real.
        """
        cosines, sines = np.cos(angles / 2), np.sin(angles / 2)
        for places, axes, elements in self._kinds:
            after: Any = None
            for axis, element in zip(reversed(axes), reversed(elements), strict=True):
                if axis:
                    result[element] += self._along(axis, after, overlaps[places])
                own = self._element(axis, element, cosines, sines)
                after = own if after is None else after @ own

    def _along(self, axis: str, after: Any, overlaps: Floats) -> Floats:
        """Return overlaps with the axis of a rotation, turned by the elements after it."""
        if after is None or self._real:
            # Real gates turn the axis y at most around.
            part = overlaps[:, "xyz".index(axis)]
            if after is None:
                return part
            sign = np.linalg.det(np.broadcast_to(after, (*after.shape[:2], 2, 2)))
            return part * np.sign(sign)[:, None, :]
        turned = after @ _PAULI[axis] @ np.conjugate(np.swapaxes(after, -1, -2))
        return (
            turned[..., 0, 1].real[:, None] * overlaps[:, 0]
            - turned[..., 0, 1].imag[:, None] * overlaps[:, 1]
            + turned[..., 0, 0].real[:, None] * overlaps[:, 2]
        )
