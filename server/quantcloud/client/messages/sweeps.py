"""Many points of one circuit, and expectation values: their arguments and their results."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from quantcloud.client.errors import InvalidRequest
from thequantcloud.v1 import circuit_pb2, sweep_pb2

Observable: TypeAlias = str | Mapping[str, float] | sweep_pb2.Observable
"""An operator, or operators with the coefficients of their sum.

An operator is a letter for each qubit, as in "XZI" with qubit 0 rightmost; letters with numbers of
qubits, as in "Z0 Z3"; or a basis state, as in "010", which means the projector on it.
"""
Values: TypeAlias = Any
"""The values of one input: numbers, one for each point. An input of several values has rows."""

_PROJECTOR = re.compile(r"[01]+")
_PAULI = re.compile(r"[IXYZ]+")


def fill(
    request: circuit_pb2.RunCircuitRequest,
    parameters: Mapping[str, Values] | None,
    observables: Iterable[Observable] | None,
) -> None:
    """Set the parameters and the observables of a request. Raises `InvalidRequest`."""
    for name, values in (parameters or {}).items():
        try:
            request.parameters[name].values.extend(_flat(values))
        except (TypeError, ValueError) as error:
            raise InvalidRequest(
                f"parameters.{name}: must be numbers: {error}", field=f"parameters.{name}"
            ) from error
    for each in observables or ():
        request.observables.append(observable(each))


def observable(given: Observable) -> sweep_pb2.Observable:
    """Return the message for an observable. Raises `InvalidRequest`."""
    if isinstance(given, sweep_pb2.Observable):
        return given
    terms = {given: 1.0} if isinstance(given, str) else given
    try:
        return sweep_pb2.Observable(terms=[_term(*each) for each in terms.items()])
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(
            f"observables: must be operators with coefficients: {error}", field="observables"
        ) from error


def _term(operator: str, coefficient: float) -> sweep_pb2.Term:
    if _PROJECTOR.fullmatch(operator):
        return sweep_pb2.Term(projector=operator, coefficient=coefficient)
    if _PAULI.fullmatch(operator):
        return sweep_pb2.Term(pauli=operator, coefficient=coefficient)
    return sweep_pb2.Term(sparse=operator, coefficient=coefficient)


def _flat(values: Any) -> Iterable[float]:
    """Return numbers, lists of them, or an array as one list."""
    if hasattr(values, "ravel"):
        return values.ravel().tolist()
    if not isinstance(values, Iterable) or isinstance(values, str):
        return [float(values)]
    found: list[float] = []
    for each in values:  # pyright: ignore[reportUnknownVariableType]  # of any nesting
        found.extend(_flat(each))
    return found


class Sweep:
    """The results at all points. `message` is the answer of the server, with every page.

    What the run did not ask for is empty. Arrays are NumPy's if it is installed, and otherwise
    lists.
    """

    def __init__(self, message: sweep_pb2.SweepResult) -> None:
        self.message = message

    def __len__(self) -> int:
        return len(self.message.points)

    @property
    def points_total(self) -> int:
        """The number of points of the job. Fewer are done if it was stopped."""
        return self.message.points_total

    @property
    def counts(self) -> list[dict[str, int]]:
        """The counts at each point."""
        return [dict(each.counts) for each in self.message.points]

    @property
    def expectation_values(self) -> Any:
        """The values by point and observable."""
        return _array([[*each.expectation_values] for each in self.message.points])

    @property
    def standard_errors(self) -> Any:
        """The standard errors by point and observable. Empty if the values are exact."""
        return _array([[*each.standard_errors] for each in self.message.points])

    @property
    def variances(self) -> Any:
        """The variances by point and observable."""
        return _array([[*each.variances] for each in self.message.points])

    @property
    def probabilities(self) -> Any:
        """The exact probabilities by point and bitstring, as a number with bit 0 lowest."""
        return _array([[*each.probabilities] for each in self.message.points])

    @property
    def gradients(self) -> dict[str, Any]:
        """The derivatives by input, and for each by point, observable and value of the input."""
        points = [
            [dict(gradient.parameters) for gradient in each.gradients]
            for each in self.message.points
        ]
        names = points[0][0] if points and points[0] else ()
        return {
            name: _array([[[*one[name].values] for one in point] for point in points])
            for name in names
        }

    @property
    def registers(self) -> dict[str, tuple[int, bytes]]:
        """The number of bits of each register, and its shots at all points as bytes."""
        return {each.name: (each.num_bits, each.data) for each in self.message.registers}


def append(whole: sweep_pb2.SweepResult, pages: Sequence[sweep_pb2.SweepResult]) -> None:
    """Add the next pages of points.

    All at once: each change of a register's data copies it, and keeps the copy before.
    """
    parts = {each.name: [each.data] for each in whole.registers}
    for page in pages:
        whole.points.extend(page.points)
        whole.points_done = page.points_done
        for each in page.registers:
            if each.name not in parts:
                whole.registers.add(name=each.name, num_bits=each.num_bits)
            parts.setdefault(each.name, []).append(each.data)
    for each in whole.registers:
        if len(parts[each.name]) > 1 or not each.data:
            each.data = b"".join(parts[each.name])


def _array(values: Sequence[Any]) -> Any:
    try:
        import numpy as np  # noqa: PLC0415  # optional
    except ModuleNotFoundError:
        return values
    return np.array(values)
