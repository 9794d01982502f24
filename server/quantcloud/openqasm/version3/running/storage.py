"""Declares variables, assigns to them and measures into them.

The value of a variable is known until it depends on a measurement. From then on it is kept in bits
of the circuit. A known value moves there before an assignment on a condition.
"""

from quantcloud.circuits.ir import Apply, Bits, Formula
from quantcloud.openqasm.builder import PHYSICAL, Operand
from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3.arithmetic.operators import operate
from quantcloud.openqasm.version3.arithmetic.values import (
    REALS,
    Classical,
    Known,
    Runtime,
    Symbolic,
    Type,
    converted,
    formula,
)
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.words import refusal
from quantcloud.openqasm.version3.running.evaluator import Evaluator
from quantcloud.openqasm.version3.running.guards import State
from quantcloud.openqasm.version3.running.names import Variable


class Storage:
    """The variables of a program. Every method raises `CircuitError` at an error."""

    def __init__(self, state: State, evaluator: Evaluator) -> None:
        self._lexer, self._builder, self._names, self._guards = state
        self._evaluator = evaluator

    # Declarations

    def declare(self, node: syntax.Declaration) -> None:
        kind = node.type.kind
        if kind == "qubit":
            self._declare_qubits(node)
            return
        if kind == "bit" and self._names.is_global and not node.is_constant:
            self._builder.declare_clbits(node.name, self._register_size(node), node.start)
            if node.value is not None:
                variable = self._names.find(node.name, node.start)
                assert isinstance(variable, Variable)  # noqa: S101 - it was just declared
                self._initialise(variable, node)
            return
        type_ = self._evaluator.type_of(node.type)
        variable = self.variable(type_)
        self._names.check_new(node.name, node.start)
        if node.value is not None:
            self._initialise(variable, node)
        value = variable.value
        if node.is_constant and (
            isinstance(value, Runtime) or (isinstance(value, Symbolic) and value.is_input)
        ):
            cause = "a measurement" if isinstance(value, Runtime) else value
            raise self._lexer.error(
                f"the constant {shown(node.name)} cannot depend on {cause}", node.start
            )
        variable.is_constant = node.is_constant
        self._names.declare(node.name, variable, node.start)

    def _initialise(self, variable: Variable, node: syntax.Declaration) -> None:
        assert node.value is not None  # noqa: S101 - the caller checks
        if isinstance(node.value, syntax.Measure):
            self.store(variable, syntax.Target(node.name, None, node.start), node.value)
            return
        value = self._value(node.value, variable.type, node.start)
        # Registers of the circuit start at 0.
        if variable.is_output and value == Known(variable.type, 0) and not self._guards.frames:
            return
        condition, self._guards.condition = self._guards.condition, None
        self.assign(variable, value, node.name, node.start)
        self._guards.condition = condition

    def _declare_qubits(self, node: syntax.Declaration) -> None:
        if not self._names.is_global or self._guards.frames or self._guards.condition is not None:
            raise self._lexer.error("qubits are declared at the top level", node.start)
        if PHYSICAL in self._builder.qubits:
            raise refusal(
                self._lexer,
                "physical qubits ($0) together with declared qubits",
                "use one kind",
                node.start,
            )
        self._builder.declare_qubits(node.name, self._register_size(node), node.start)

    def _register_size(self, node: syntax.Declaration) -> int:
        if node.type.size is None:
            self._builder.scalars.add(node.name)
            return 1
        return self._evaluator.size(node.type.size, "the size of a register")

    @staticmethod
    def variable(type_: Type) -> Variable:
        """Return a variable with the value 0."""
        zero = 0.0 if type_.kind in REALS or type_.kind == "duration" else 0
        return Variable(type_, Known(type_, zero))

    # Values

    def _value(self, code: syntax.Code, type_: Type, start: int) -> Classical:
        value = self._evaluator.value(code, real=type_.kind in REALS)
        with self._lexer.located("in this assignment", start):
            return converted(value, type_)

    def copied(self, value: Classical, type_: Type, start: int) -> Variable:
        """Return a new variable with a value. Raises `ExpressionError`."""
        variable = self.variable(type_)
        value = converted(value, type_)
        if isinstance(value, Runtime):
            self._guards.keep(self._place(variable, start), type_.bits, value.formula, start)
        else:
            variable.value = value
        return variable

    def _place(self, variable: Variable, start: int) -> int:
        """Let a variable's value be in its cell; return the cell."""
        if variable.cell is None:
            variable.cell = self._guards.allocate(variable.type.bits, start)
        variable.value = Runtime(variable.type, variable.read())
        return variable.cell

    def keep(self, variable: Variable, name: str, start: int) -> int:
        """Move a variable's value to its cell, in all shots; return the cell."""
        if variable.cell is not None and variable.is_kept:
            return variable.cell
        if variable.type.kind in REALS or variable.type.kind == "duration":
            raise self._lexer.error(
                f"{shown(name)}, a {variable.type.kind}, would depend on a measurement; only whole "
                "numbers and bits may",
                start,
            )
        value = variable.value
        assert isinstance(value, Known)  # noqa: S101 - reals are refused above
        cell = self._place(variable, start)
        self._guards.keep(cell, variable.type.bits, formula(value), start)
        return cell

    def assign(self, variable: Variable, value: Classical, name: str, start: int) -> None:
        """Assign a value of the variable's type, on the present condition."""
        if not isinstance(value, Runtime) and not (
            self._guards.condition is not None or variable.pinned or variable.is_output
        ):
            variable.value = value
            return
        if self._guards.condition is not None or variable.type.kind in REALS:
            cell = self.keep(variable, name, start)
        else:
            cell = self._place(variable, start)
        assert isinstance(value, Known | Runtime)  # noqa: S101 - bits hold no angle of a gate
        self._guards.change(cell, variable.type.bits, formula(value), start)

    # Statements

    def target(self, target: syntax.Target) -> Variable:
        """Return the variable that is assigned to."""
        entry = self._names.find(target.name, target.start)
        if not isinstance(entry, Variable):
            what = "declared" if entry is None else "a classical variable or register"
            raise self._lexer.error(f"{shown(target.name)} is not {what}", target.start)
        if entry.is_constant or entry.is_input:
            what = "a constant" if entry.is_constant else "an input, whose value a run gives"
            raise self._lexer.error(f"{shown(target.name)} is {what}", target.start)
        return entry

    def execute(self, node: syntax.Assign) -> None:
        target, value = node.target, node.value
        if isinstance(value, syntax.Measure) and value.start < target.start:
            # In `measure q -> c` the source comes first, so its errors do too.
            source = self._evaluator.qubits(value.source)
            self._measure_into(self.target(target), target, source)
            return
        variable = self.target(target)
        if isinstance(value, syntax.Measure) or (node.symbol is None and target.place is None):
            self.store(variable, target, value)
        elif target.place is not None:
            self._assign_part(node, variable, value)
        else:
            updated = self._updated(node, variable.value, variable.type, value)
            self.assign(variable, updated, target.name, node.start)

    def store(self, variable: Variable, target: syntax.Target, value: syntax.Value) -> None:
        """Assign a value or a measurement to a variable, or measure into a part of it."""
        if isinstance(value, syntax.Measure):
            self._measure_into(variable, target, self._evaluator.qubits(value.source))
        else:
            found = self._value(value, variable.type, target.start)
            self.assign(variable, found, target.name, target.start)

    def _updated(
        self, node: syntax.Assign, old: Classical, type_: Type, code: syntax.Code
    ) -> Classical:
        real = type_.kind in REALS
        change = self._evaluator.value(code, real=real)
        with self._lexer.located("in this assignment", node.start):
            return converted(operate(node.symbol or "", old, change, real=real), type_)

    def _assign_part(self, node: syntax.Assign, variable: Variable, code: syntax.Code) -> None:
        target = node.target
        if variable.type.kind not in ("bit", "int", "uint"):
            raise self._lexer.error(f"{shown(target.name)} has no index", target.start)
        part = self._evaluator.bits(variable, target)
        type_ = Type("bit", part.size) if part.size > 1 else Type("bit")
        if node.symbol is None:
            value = self._value(code, type_, node.start)
        else:
            part = self._kept(variable, target, part)
            value = self._updated(node, Runtime(type_, (part,)), type_, code)
        known = variable.value
        free = self._guards.condition is None and not variable.pinned
        if isinstance(known, Known) and isinstance(value, Known) and free:
            mask = (1 << part.size) - 1
            bits = int(known.value) & ~(mask << part.offset) | int(value.value) << part.offset
            variable.value = converted(Known(Type("int"), bits), variable.type)
            return
        part = self._kept(variable, target, part)
        assert isinstance(value, Known | Runtime)  # noqa: S101 - bits hold no angle of a gate
        self._guards.change(part.offset, part.size, formula(value), node.start)

    def _kept(self, variable: Variable, target: syntax.Target, part: Bits) -> Bits:
        """Return a part of a variable in its cell, where its value is moved."""
        if variable.is_kept:
            return part
        return part._replace(offset=part.offset + self.keep(variable, target.name, target.start))

    # Measurements

    def measure(self, node: syntax.Measure) -> None:
        """Run a measurement whose outcome is not used."""
        source = self._evaluator.qubits(node.source)
        bits = self._guards.allocate(max(source.size, 1), node.start)
        self._measure(source, Bits(bits, source.size), node.start)

    def _measure_into(self, variable: Variable, target: syntax.Target, source: Operand) -> None:
        kind, name, start = variable.type.kind, target.name, target.start
        if kind != "bit" and (kind != "bool" or target.place is not None):
            raise self._lexer.error(
                f"{shown(name)} is {variable.type}; a measurement needs bits, as in 'bit b'", start
            )
        part = self._kept(variable, target, self._evaluator.bits(variable, target))
        self._measure(source, part, start)

    def _measure(self, source: Operand, target: Bits, start: int) -> None:
        bits = Operand(target.offset, target.size, whole=True, start=start)
        self._builder.measure(source, bits, start, self._guards.condition)


def truth(value: Known | Runtime) -> Formula:
    """Return the formula of a condition, a single bit."""
    if isinstance(value, Known):
        return (int(bool(value.value)),)
    if value.type.bits == 1:
        return value.formula
    return (*value.formula, 0, Apply("!=", 1))
