"""The values of a circuit's inputs at the points of a run."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantcloud.domain.sweep import Input, Sweep

Floats = NDArray[np.float64]


def values_of(sweep: Sweep, inputs: Sequence[Input]) -> Floats:
    """Return the values at the points of the run: points x width, in the order of the inputs.

    Raises `ValueError` if a parameter is missing, unknown or of another size.
    """
    given = {parameter.name: parameter for parameter in sweep.parameters}
    if unknown := given.keys() - {each.name for each in inputs}:
        raise ValueError(f"the circuit has no input {min(unknown)!r}")
    number = sweep.last - sweep.first
    parts = [np.empty((number, 0))]
    for each in inputs:
        parameter = given.get(each.name)
        if parameter is None:
            raise ValueError(f"the input {each.name!r} has no values")
        values = np.frombuffer(parameter.values, dtype="<f8")
        if parameter.size != each.size or values.size not in (each.size, sweep.points * each.size):
            raise ValueError(f"the input {each.name!r} takes {each.size} values at each point")
        rows = values.reshape(-1, each.size)
        shared = len(rows) == 1
        parts.append(np.repeat(rows, number, 0) if shared else rows[sweep.first : sweep.last])
    return np.concatenate(parts, axis=1)


def in_sweep_order(gradients: Floats, sweep: Sweep, inputs: Sequence[Input]) -> Floats:
    """Return gradients, whose last axis is in the order of the inputs, in that of the sweep."""
    ends = np.cumsum([each.size for each in inputs])
    places = {
        each.name: range(end - each.size, end) for each, end in zip(inputs, ends, strict=True)
    }
    order = [place for parameter in sweep.parameters for place in places[parameter.name]]
    return gradients if order == list(range(len(order))) else gradients[..., order]
