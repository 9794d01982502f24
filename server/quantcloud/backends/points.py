"""Writes a block of points as entries of `SweepResult.points` of the contract."""

from array import array
from collections.abc import Sequence
from dataclasses import replace

from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.points import SIZES, Points
from quantcloud.domain.sweep import PointBlock, Sweep
from thequantcloud.v1 import sweep_pb2


def with_points(outcome: Outcome, execution: Execution) -> Outcome:
    """Return an outcome whose block is written as points."""
    sweep, block = execution.sweep, outcome.block
    if sweep is None:
        return outcome
    if block is None or (block.first, block.points) != (sweep.first, sweep.last - sweep.first):
        raise RuntimeError("the backend returned no results of these points")
    return replace(outcome, block=None, points=written(block, sweep))


def written(block: PointBlock, sweep: Sweep) -> Points:
    """Return a block as points."""
    sizes = array(SIZES)
    entries: list[bytes] = []
    for place in range(block.points):
        result = sweep_pb2.SweepResult()
        point = result.points.add(
            counts=block.counts[place] if block.counts else None,
            expectation_values=_row(block.values, block, place),
            standard_errors=_row(block.errors, block, place),
            variances=_row(block.variances, block, place),
            probabilities=_row(block.probabilities, block, place),
        )
        _add_gradients(point, _row(block.gradients, block, place), sweep)
        entry = result.SerializeToString()
        sizes.append(len(entry))
        entries.append(entry)
    return Points(block.first, sizes, b"".join(entries), block.registers)


def _row(values: bytes | None, block: PointBlock, place: int) -> Sequence[float]:
    """Return the numbers of one point."""
    if not values:
        return ()
    size = len(values) // block.points
    return memoryview(values)[place * size : (place + 1) * size].cast("d").tolist()


def _add_gradients(point: sweep_pb2.SweepPoint, row: Sequence[float], sweep: Sweep) -> None:
    """Add the derivatives of a point, columns x width: a gradient for each column."""
    start = 0
    for _ in range(sweep.columns if row else 0):
        gradient = point.gradients.add()
        for parameter in sweep.parameters:
            end = start + parameter.size
            gradient.parameters[parameter.name].values.extend(row[start:end])
            start = end
