"""Angles that depend on the inputs of a circuit."""

import math
from collections.abc import Iterable
from typing import Self


class Angle(float):
    """A value that is known when the inputs are: a node of a graph of operations.

    `symbol` is an operator or a function of `expressions` and `operands` are what it takes. A node
    without a symbol is the input value at index `place`, counted over all inputs. As a number an
    angle is NaN, so it equals nothing but itself and no rule for known angles holds for it.
    """

    __slots__ = ("operands", "place", "symbol")

    symbol: str
    operands: tuple[float, ...]
    place: int

    def __new__(cls, symbol: str, operands: tuple[float, ...] = (), place: int = -1) -> Self:
        self = super().__new__(cls, math.nan)
        self.symbol, self.operands, self.place = symbol, operands, place
        return self

    def __neg__(self) -> "Angle":
        return Angle("neg", (self,))


def ordered(angles: Iterable[float]) -> list[Angle]:
    """Return the nodes of the graphs of `angles`, each once and after its operands.

    Values that are no `Angle` are skipped.
    """
    found: dict[int, Angle] = {}
    for angle in angles:
        pending: list[tuple[float, bool]] = [(angle, False)]
        while pending:
            node, is_done = pending.pop()
            if not isinstance(node, Angle) or id(node) in found:
                continue
            if is_done:
                found[id(node)] = node
                continue
            pending.append((node, True))
            pending += [(operand, False) for operand in node.operands]
    return list(found.values())
