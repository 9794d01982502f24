"""Computes expressions of OpenQASM 3."""

from collections.abc import Callable, Sequence

from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.ir import Bits, Expression
from quantcloud.openqasm.builder import PHYSICAL, CircuitBuilder, Operand
from quantcloud.openqasm.hints import did_you_mean, not_defined
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.arithmetic import indexing
from quantcloud.openqasm.version3.arithmetic.operators import call, operate, prefix
from quantcloud.openqasm.version3.arithmetic.values import (
    FLOAT,
    WHOLE,
    AnyValue,
    Array,
    Classical,
    Known,
    Numbers,
    Qubits,
    Range,
    Runtime,
    Symbolic,
    Type,
    converted,
    expression,
)
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.words import CONSTANTS
from quantcloud.openqasm.version3.running.names import Names, Variable

_MOST_BITS = {"int": 64, "uint": 64, "float": 64, "angle": 64}
# A statement's weight covers expressions of so many items.
_SHORT = 8

Subroutines = Callable[[syntax.Call, Sequence[AnyValue]], Classical | None]


class Evaluator:
    """Computes expressions. Every method raises `CircuitError` at the position of an error."""

    def __init__(
        self, lexer: Lexer, builder: CircuitBuilder, names: Names, subroutines: Subroutines
    ) -> None:
        """`subroutines` runs a subroutine and returns its result."""
        self._lexer = lexer
        self._builder = builder
        self._names = names
        self._subroutines = subroutines

    def evaluate(self, code: syntax.Code, *, real: bool = False) -> AnyValue:
        """Return the value of an expression; if `real`, whole numbers divide as real ones."""
        return self.parts(code, real=real)[-1]

    def parts(self, code: syntax.Code, *, real: bool = False) -> list[AnyValue]:
        """Return the values of adjacent expressions."""
        stack: list[AnyValue] = []
        if len(code) > _SHORT:
            self._builder.charge(len(code) // _SHORT, _start(code))
        for item in code:
            try:
                stack.append(self._item(item, stack, code, real=real))
            except ExpressionError as error:
                raise self._lexer.error(
                    f"in this expression: {error}", _start((item,)) or _start(code)
                ) from None
        return stack

    def _item(  # noqa: PLR0911 - one for each kind of item
        self, item: syntax.Item, stack: list[AnyValue], code: syntax.Code, *, real: bool
    ) -> AnyValue:
        match item:
            case Known():
                return item
            case syntax.Name():
                return self._name(item, code)
            case syntax.Operator():
                return self._operated(item, stack, real=real)
            case syntax.Call():
                return self._called(item, stack, real=real)
            case syntax.TypeName():
                type_ = self.type_of(item)
                return converted(self._classical(stack.pop(), item.start), type_)
            case syntax.Index():
                parts = [stack.pop() for _ in range(item.number)]
                if item.number > 1:
                    raise ExpressionError(
                        "only arrays have several indices; they are not supported"
                    )
                name = code[0].text if isinstance(code[0], syntax.Name) else "it"
                return indexing.indexed(stack.pop(), parts[0], name)
            case syntax.IndexSet():
                values = [self._whole(stack.pop(), item.start) for _ in range(item.number)]
                return Numbers(tuple(reversed(values)))
            case syntax.Span():
                return self._range(item, stack)

    def _operated(self, item: syntax.Operator, stack: list[AnyValue], *, real: bool) -> AnyValue:
        right = stack.pop()
        if item.operands == 1:
            return prefix(item.symbol, self._classical(right, item.start), real=real)
        left = stack.pop()
        if item.symbol == "++":
            return indexing.joined(left, right)
        first, second = (self._classical(value, item.start) for value in (left, right))
        return operate(item.symbol, first, second, real=real)

    def _called(self, item: syntax.Call, stack: list[AnyValue], *, real: bool) -> AnyValue:
        arguments = [stack.pop() for _ in range(item.number)][::-1]
        if item.name in self._names.subroutines:
            value = self._subroutines(item, arguments)
            if value is None:
                raise self._lexer.error("this subroutine has no result", item.start)
            return value
        values = [self._classical(argument, item.start) for argument in arguments]
        result = call(item.name, values, real=real)
        if result is None:
            hint = did_you_mean(item.name, self._names.subroutines)
            raise self._lexer.error(
                f"{shown(item.name)} is no function or subroutine{hint}", item.start
            )
        return result

    def _name(self, item: syntax.Name, code: syntax.Code) -> AnyValue:
        name = item.text
        if name.startswith(PHYSICAL):
            return Qubits((int(name[1:]),), is_register=False)
        entry = self._names.find(name, item.start)
        if isinstance(entry, Variable):
            return entry.value
        if entry is not None:
            return entry
        if name in CONSTANTS:
            return Known(FLOAT, CONSTANTS[name])
        if len(code) > 1 and isinstance(code[-1], syntax.Index) and code[0] is item:
            raise self._builder.undeclared(name, self._names.registers(), item.start)
        raise self._lexer.error(not_defined(name, [*self._names.known(), "pi"]), item.start)

    def _range(self, item: syntax.Span, stack: list[AnyValue]) -> Range:
        last = self._whole(stack.pop(), item.start) if item.has_last else None
        step = self._whole(stack.pop(), item.start) if item.has_step else 1
        first = self._whole(stack.pop(), item.start) if item.has_first else None
        if not step:
            raise ExpressionError("the step of a range must not be 0")
        return Range(first, step, last)

    def _classical(self, value: AnyValue, start: int) -> Classical:
        if isinstance(value, Known | Symbolic | Runtime):
            return value
        if isinstance(value, Array):
            name = shown(value.name)
            raise self._lexer.error(f"{name} is an array; write one of its elements", start)
        what = "qubits have" if isinstance(value, Qubits) else "a range or a set has"
        raise self._lexer.error(f"{what} no value that can be computed with", start)

    def _whole(self, value: AnyValue, start: int) -> int:
        if isinstance(value, Runtime):
            raise ExpressionError("a range that depends on a measurement is not supported here")
        if isinstance(value, Symbolic):
            raise ExpressionError(f"a whole number is needed here; it cannot depend on {value}")
        if not isinstance(value, Known) or value.type.kind == "duration":
            raise self._lexer.error("a whole number is needed here", start)
        if value.type.kind not in WHOLE and not float(value.value).is_integer():
            raise self._lexer.error(f"a whole number is needed here, got {value.value:g}", start)
        return int(value.value)

    # Expressions of a certain kind

    def value(self, code: syntax.Code, *, real: bool = False) -> Classical:
        """Return the value of an expression that is no qubit, range or set."""
        return self._classical(self.evaluate(code, real=real), _start(code))

    def angle(self, code: syntax.Code) -> Expression:
        with self._lexer.located("in this expression", _start(code)):
            return expression(self.value(code, real=True))

    def number(self, code: syntax.Code, what: str) -> float:
        """Return a number that is known."""
        value = self.value(code, real=True)
        if not isinstance(value, Known) or value.type.kind == "duration":
            raise self._lexer.error(
                f"{what} must be a constant number{_instead(value)}", _start(code)
            )
        return value.value

    def size(self, code: syntax.Code, what: str) -> int:
        """Return a size or a number of controls."""
        value = self.value(code)
        if not isinstance(value, Known) or value.type.kind not in WHOLE:
            raise self._lexer.error(
                f"{what} must be a constant whole number{_instead(value)}", _start(code)
            )
        if value.value < 0:
            raise self._lexer.error(f"{what} must not be negative, got {value.value}", _start(code))
        return int(value.value)

    def type_of(self, name: syntax.TypeName) -> Type:
        kind = name.kind
        if name.size is None:
            return Type(kind)
        size = self.size(name.size, "a size")
        if kind in ("bool", "duration"):
            raise self._lexer.error(f"'{kind}' has no size", name.start)
        most = _MOST_BITS.get(kind)
        if most is not None and not 0 < size <= most:
            raise self._lexer.error(
                f"'{kind}' may have 1 to {most} bits here, got {size}", name.start
            )
        return Type(kind, size)

    def range(self, span: syntax.Span, ends: Sequence[AnyValue]) -> Range:
        """Return a range whose ends have these values, and its step if it has one."""
        with self._lexer.located("in this expression", span.start):
            return self._range(span, [*ends])

    def qubits(self, code: syntax.Code) -> Operand:
        """Return qubits as the operand of a statement."""
        first = code[0]
        start = _start(code)
        if isinstance(first, syntax.Name) and not first.text.startswith(PHYSICAL):
            entry = self._names.find(first.text, start)
            if entry is None:
                raise self._builder.undeclared(first.text, self._names.registers(), start)
            if isinstance(entry, Variable):
                kind = "a classical register" if entry.type.kind == "bit" else "no register"
                raise self._lexer.error(
                    f"{shown(first.text)} is {kind}, but a qubit is needed here", start
                )
        value = self.evaluate(code)
        if not isinstance(value, Qubits):
            raise self._lexer.error("a qubit is needed here", start)
        return operand(value, start)

    def bits(self, variable: Variable, target: syntax.Target) -> Bits:
        """Return the adjacent bits of a variable that an assignment changes.

        If the variable's value is not kept in a cell, they are relative to its lowest bit.
        """
        cell = variable.cell if variable.is_kept else None
        whole = Bits(cell or 0, variable.type.bits)
        index, start = target.place, target.start
        if index is None:
            return whole
        probe = Runtime(Type("bit", whole.size), (whole,))
        selector = self.evaluate(index[:-1])
        if isinstance(selector, Runtime):
            raise self._lexer.error(
                "an assignment to an index that depends on a measurement is not supported", start
            )
        with self._lexer.located("in this index", _start(index) or start):
            found = indexing.indexed(probe, selector, target.name)
        if isinstance(found, Runtime) and found.bits is not None:
            return found.bits
        raise self._lexer.error("these bits are not adjacent; assign one by one", start)


def operand(value: Qubits, start: int) -> Operand:
    """Return qubits as the operand of a statement at `start`."""
    bits = value.bits
    if isinstance(bits, range) and bits.step == 1:
        return Operand(bits.start, len(bits), value.is_register, start)
    return Operand(bits[0] if bits else 0, len(bits), value.is_register, start, tuple(bits))


def _instead(value: Classical) -> str:
    return f"; it cannot depend on {value}" if isinstance(value, Symbolic) else ""


def _start(code: syntax.Code) -> int:
    """Return the offset of the first name or operator of an expression, or 0 for a literal."""
    return min((item.start for item in code if not isinstance(item, Known)), default=0)
