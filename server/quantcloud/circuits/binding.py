"""Gives the inputs of a circuit values."""

from collections.abc import Sequence
from dataclasses import replace

from quantcloud.circuits.angles import Angle, ordered
from quantcloud.circuits.expressions import OPERATORS, binary, unary
from quantcloud.circuits.ir import Circuit


def bound(circuit: Circuit, values: Sequence[float]) -> Circuit:
    """Return a circuit without inputs: `values` are those of all inputs, in their order.

    Raises `ExpressionError` if an angle has no value.
    """
    if not circuit.inputs:
        return circuit
    known: dict[int, float] = {}
    for node in ordered(angle for each in circuit.operations for angle in each.params):
        operands = [known.get(id(each), each) for each in node.operands]
        known[id(node)] = _value(node, operands, values)
    return replace(
        circuit,
        operations=tuple(
            [
                operation._replace(params=tuple([known.get(id(p), p) for p in operation.params]))
                if any(isinstance(angle, Angle) for angle in operation.params)
                else operation
                for operation in circuit.operations
            ]
        ),
        inputs=(),
    )


def _value(node: Angle, operands: Sequence[float], values: Sequence[float]) -> float:
    symbol = node.symbol
    if not symbol:
        return float(values[node.place])
    return binary(symbol, *operands) if symbol in OPERATORS else unary(symbol, *operands)
