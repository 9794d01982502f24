"""Angles that depend on inputs, computed for all points at once."""

import numpy as np
import pytest

from quantcloud.backends.simulation.sweep.angles import Angles
from quantcloud.circuits.angles import Angle
from quantcloud.circuits.binding import bound
from quantcloud.circuits.expressions import FUNCTIONS
from quantcloud.openqasm import parse

EXPRESSIONS = [
    "x", "-x", "2*x", "x*2", "x/4", "1 - x", "x - 1", "-(3 - x)/2 + 1", "x + y", "x - y", "x*y",
    "x/y", "2/x", "x**2", "x**y", "2**x", "x*x*x - y/x", "(x + y)*(x - y)", "-(x*y)", "x - x",
    *[f"{'log' if name == 'ln' else name}(x/3)" for name in FUNCTIONS],
]  # fmt: skip


def angles(*expressions: str) -> tuple[Angles, list[Angle], object]:
    gates = "".join(f"rx({each}) q;" for each in expressions)
    circuit = parse(f"OPENQASM 3.0; input float x; input float y; qubit q; {gates}")
    found = [operation.params[0] for operation in circuit.operations]
    assert all(isinstance(each, Angle) for each in found)
    return Angles(found), found, circuit  # type: ignore[arg-type]


def test_the_values_are_those_of_each_point():
    compiled, _, circuit = angles(*EXPRESSIONS)
    inputs = np.random.default_rng(0).uniform(0.2, 2, (5, 2))
    found = compiled.values(inputs)
    for row, values in zip(found, inputs, strict=True):
        expected = [each.params[0] for each in bound(circuit, values.tolist()).operations]
        assert row == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_derivatives_follow_the_chain_rule(expression):
    compiled, _, _ = angles(expression)
    inputs = np.random.default_rng(1).uniform(0.3, 2, (4, 2))
    slopes = np.random.default_rng(2).normal(size=(4, 3, 1))
    found = compiled.pulled_back(inputs, slopes)
    for column in range(2):
        step = np.zeros(2)
        step[column] = 1e-5
        numeric = (compiled.values(inputs + step) - compiled.values(inputs - step)) / 2e-5
        assert found[:, :, column] == pytest.approx(slopes[:, :, 0] * numeric, abs=1e-7)


def test_angles_of_the_same_input_add_up():
    compiled, _, _ = angles("x", "2*x", "x*y", "y")
    inputs = np.array([[0.5, 3.0]])
    found = compiled.pulled_back(inputs, np.array([[[1.0, 10.0, 100.0, 1000.0]]]))
    assert found.tolist() == [[[1 + 20 + 300.0, 50.0 + 1000]]]


@pytest.mark.parametrize("expression", ["1/(x - 1)", "log(-x)", "exp(1000*x)", "sqrt(-x)"])
def test_an_angle_without_a_value_names_the_point(expression):
    compiled, _, _ = angles("y", expression)
    inputs = np.array([[0.0, 1.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match=r"at point (10|11) an angle has no finite real value"):
        compiled.values(inputs, 10)


def test_a_derivative_without_a_value_names_the_point():
    compiled, _, _ = angles("sqrt(x)")
    with pytest.raises(ValueError, match="at point 0 the derivative of an angle"):
        compiled.pulled_back(np.zeros((1, 2)), np.ones((1, 1, 1)))
