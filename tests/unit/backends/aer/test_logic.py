"""Formulas as logic on single bits, compared with `classical.evaluate`."""

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from quantcloud.backends.aer.logic import Logic, Wire
from quantcloud.circuits.classical import BINARY, UNARY, evaluate, wrapped
from quantcloud.circuits.ir import Apply, Bits, Formula

GATES: dict[str, Callable[..., int]] = {
    "not": lambda bit: 1 - bit,
    "and": lambda first, second: first & second,
    "or": lambda first, second: first | second,
    "xor": lambda first, second: first ^ second,
}
WIDTH = 12
sizes = st.integers(1, 6)
leaves = st.one_of(
    st.integers(-40, 40).map(lambda value: (value,)),
    st.tuples(st.integers(0, WIDTH - 6), sizes, st.booleans()).map(lambda part: (Bits(*part),)),
)


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    formula = draw(leaves)
    for _ in range(draw(st.integers(1, 3))):
        apply = [draw(st.integers(1, 8)), draw(st.booleans())]
        if draw(st.booleans()):
            formula = (*formula, Apply(draw(st.sampled_from(sorted(UNARY))), *apply))
        if formula[-1] and isinstance(formula[-1], Apply) and formula[-1].symbol == "popcount":
            # It counts the bits of a number that is not negative.
            formula = (*formula[:-1], Apply("cast", 8), formula[-1])
        symbol = draw(st.sampled_from(sorted(BINARY)))
        formula = (*formula, *draw(leaves), Apply(symbol, *apply))
    return formula


@given(formulas(), st.integers(0, (1 << WIDTH) - 1))
@settings(max_examples=600)
# The index of a bit is no known value: in Python, 0 equals False, and 1 equals True.
@example((Bits(0, 1), Bits(1, 1), Apply("<<", 2)), 0b01)
def test_logic_computes_what_formulas_say(formula: Formula, bits: int):
    values = [bits >> place & 1 for place in range(WIDTH)]

    def gate(name: str, wires: tuple[int, ...]) -> int:
        values.append(GATES[name](*[values[wire] for wire in wires]))
        return len(values) - 1

    def value_of(wire: Wire) -> int:
        return int(wire) if isinstance(wire, bool) else values[wire]

    number = Logic(gate).compute(formula)
    found = sum(value_of(wire) << place for place, wire in enumerate(number.wires))
    size = len(number.wires)
    expected = evaluate(formula, bits)
    assert wrapped(found, size, signed=number.signed) == expected, (formula, bits)
