"""Blocks of points as messages of the contract, read back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.backends.points import with_points, written
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.sweep import Observable, Parameter, PointBlock, Sweep
from thequantcloud.v1 import sweep_pb2

WIDTHS = st.sampled_from([1, 8, 100, 130])
COUNTS = st.integers(1, 2**32 - 1) | st.integers(1, 300)


def read(data: bytes) -> list[sweep_pb2.SweepPoint]:
    return list(sweep_pb2.SweepResult.FromString(data).points)


@given(st.data(), WIDTHS, st.integers(1, 4))
def test_counts_are_read_back(data, width, points):
    keys = st.integers(0, 2**width - 1).map(lambda number: format(number, f"0{width}b"))
    counts = [data.draw(st.dictionaries(keys, COUNTS, max_size=5)) for _ in range(points)]
    block = PointBlock(3, points, counts=tuple(counts))
    found = written(block, Sweep(points=9, first=3, last=3 + points))
    assert [dict(point.counts) for point in read(found.data)] == counts
    assert (found.first, sum(found.sizes)) == (3, len(found.data))
    at = 0
    for size, own in zip(found.sizes, counts, strict=True):
        (point,) = read(found.data[at : at + size])
        assert dict(point.counts) == own
        at += size


@given(
    st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(1, 40), max_size=3), st.booleans()
)
def test_numbers_are_read_back(points, columns, sizes, more):
    rng = np.random.default_rng(points)
    names = ["theta", "\u00fc", "a" * 200][: len(sizes)]
    parameters = tuple(
        [Parameter(name, size, bytes(8 * size)) for name, size in zip(names, sizes, strict=True)]
    )
    width = sum(sizes)
    values, errors = rng.normal(size=(points, columns)), rng.normal(size=(points, columns))
    gradients = rng.normal(size=(points, columns, width))
    sweep = Sweep(
        points=points, last=points, parameters=parameters, observables=(Observable(()),) * columns
    )
    block = PointBlock(
        0,
        points,
        values=values.tobytes(),
        errors=errors.tobytes() if more else None,
        variances=errors.tobytes() if more else None,
        gradients=gradients.tobytes() if width else None,
        probabilities=gradients.tobytes() if more and width else None,
    )
    for place, point in enumerate(read(written(block, sweep).data)):
        assert list(point.expectation_values) == values[place].tolist()
        assert list(point.standard_errors) == (errors[place].tolist() if more else [])
        assert list(point.variances) == (errors[place].tolist() if more else [])
        assert len(point.gradients) == (columns if width else 0)
        for column, gradient in enumerate(point.gradients):
            own = [list(gradient.parameters[name].values) for name in names]
            flat = [number for numbers in own for number in numbers]
            assert flat == gradients[place, column].tolist()
            assert list(map(len, own)) == sizes


def test_a_backend_without_results_is_refused():
    execution = Execution("j", "b", "m", "", 1, 1, sweep=Sweep(points=2, last=2))
    for block in (None, PointBlock(0, 1), PointBlock(1, 2)):
        with pytest.raises(RuntimeError, match="no results of these points"):
            with_points(Outcome({}, 1.0, block=block), execution)
