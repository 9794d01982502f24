"""Runs branches and jumps: what is known is expanded, the rest becomes part of the circuit."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.ir import Apply, Bits, Condition, Formula
from quantcloud.openqasm.version3.evaluator import Evaluator
from quantcloud.openqasm.version3.guards import State, simple
from quantcloud.openqasm.version3.names import Variable
from quantcloud.openqasm.version3.operators import operate
from quantcloud.openqasm.version3.scan import has_jump, targets
from quantcloud.openqasm.version3.storage import Storage, truth
from quantcloud.openqasm.version3.syntax import (
    Assign,
    Body,
    Code,
    If,
    Index,
    IndexSet,
    Jump,
    Literal,
    Measurement,
    Span,
    Statement,
    Switch,
    Target,
)
from quantcloud.openqasm.version3.values import (
    BOOL,
    Known,
    Runtime,
    Symbolic,
    converted,
)
from quantcloud.openqasm.version3.words import refusal


class Flow:
    """Runs statements of control flow. Every method raises `CircuitError` at an error."""

    def __init__(
        self,
        state: State,
        evaluator: Evaluator,
        storage: Storage,
        execute: Callable[[Statement], None],
    ) -> None:
        """`execute` runs one statement."""
        self.lexer, self.builder, self.names, self.guards = state
        self.evaluator = evaluator
        self.storage = storage
        self.execute = execute

    def block(self, body: Body, start: int) -> None:
        """Run a block in a scope of its own."""
        guards = self.guards
        self.names.enter(start)
        try:
            seen = len(guards.stops)
            for statement in body:
                self.execute(statement)
                if len(guards.stops) > seen:
                    guards.without([stop.bit for stop in guards.stops[seen:]], start)
                    seen = len(guards.stops)
        finally:
            self.names.leave()

    @contextmanager
    def restored(self) -> Generator[None]:
        condition = self.guards.condition
        try:
            yield
        finally:
            self.guards.condition = condition

    def test(self, code: Code, start: int) -> Known | Runtime:
        value = self.evaluator.value(code)
        try:
            if isinstance(value, Known):
                value = converted(value, BOOL)
        except ExpressionError as error:
            raise self.lexer.error(f"in this condition: {error}", start) from None
        if not isinstance(value, Known | Runtime):
            raise self.lexer.error(f"a condition cannot depend on {value}", start)
        return value

    # Branches

    def branch(self, node: If) -> None:
        """Run an `if`."""
        test = self.test(node.test, node.start)
        if isinstance(test, Known):
            self.block(node.then if test.value else node.otherwise, node.start)
            return
        condition = self._direct(node, test)
        otherwise: Condition | None = None
        if condition is None:
            formula = truth(test)
            condition = self.guards.computed(formula, node.start)
            if node.otherwise:
                otherwise = self.guards.computed((*formula, Apply("!", 1)), node.start)
        else:
            otherwise = condition._replace(value=1 - condition.value)
        for guard, body in ((condition, node.then), (otherwise, node.otherwise)):
            with self.restored():
                self.guards.condition = guard
                if body:
                    self.block(body, node.start)

    def _direct(self, node: If, test: Runtime) -> Condition | None:
        """Return the condition if the operations of the branches can carry it as it is."""
        condition = simple(test.formula)
        if (
            condition is None
            or self.guards.condition is not None
            or (node.otherwise and (condition.size != 1 or condition.value > 1))
            or has_jump(node.then, node.otherwise)
        ):
            return None
        if _is_one_measurement(node):
            return condition if condition.size == 1 else None
        changed = [self._changed(target) for target in targets(node.then, node.otherwise)]
        end = condition.offset + condition.size
        if any(
            offset < end and condition.offset < offset + size
            for offset, size, _ in filter(None, changed)
        ):
            return None
        return condition

    def _changed(self, target: Target) -> Bits | None:
        """Return the bits that an assignment may change, or None if no condition reads them."""
        variable = self.names.visible(target.name)
        if not isinstance(variable, Variable) or variable.cell is None or not variable.is_kept:
            return None
        index = target.place
        if index is not None and all(isinstance(item, Literal | Index) for item in index):
            return self.evaluator.bits(variable, target)
        return Bits(variable.cell, variable.type.bits)

    def switch(self, node: Switch) -> None:
        """Run a `switch`."""
        value = self.evaluator.value(node.value)
        if isinstance(value, Symbolic):
            raise self.lexer.error(f"a 'switch' cannot depend on {value}", node.start)
        cases: list[tuple[list[Known], Body]] = []
        for labels, body in node.cases:
            known = [self.evaluator.value(label) for label in labels]
            if not all(isinstance(label, Known) for label in known):
                raise self.lexer.error("the labels of a 'switch' must be constants", node.start)
            cases.append(([label for label in known if isinstance(label, Known)], body))
        if isinstance(value, Known):
            chosen = next(
                (body for labels, body in cases if any(_equal(value, each) for each in labels)),
                node.default,
            )
            self.block(chosen, node.start)
            return
        guards: list[tuple[Condition, Body]] = []
        with self.restored():
            for labels, body in cases:
                formula: Formula = (0,)
                for label in labels:
                    equal = operate("==", value, label, real=False)
                    assert isinstance(equal, Runtime)  # noqa: S101 - the value is one
                    formula = (*formula, *equal.formula, Apply("||", 1))
                guards.append((self.guards.computed(formula, node.start), body))
            for guard, _ in guards:
                self.guards.without([guard.offset], node.start)
            if node.default and self.guards.condition is not None:
                guards.append((self.guards.condition, node.default))
        for guard, body in guards:
            with self.restored():
                self.guards.condition = guard
                self.block(body, node.start)

    # Jumps

    def jump(self, node: Jump) -> None:
        """Run a `break` or a `continue`."""
        if node.word == "end":
            raise refusal(
                self.lexer,
                "'end' statements",
                "put the rest of the program into an 'if'",
                node.start,
            )
        level = self.guards.target("loop" if node.word == "break" else "round")
        if level is None:
            raise self.lexer.error(f"'{node.word}' has to be in a loop", node.start)
        self.guards.jump(level, node.start)


def _equal(value: Known, label: Known) -> bool:
    result = operate("==", value, label, real=False)
    return isinstance(result, Known) and bool(result.value)


def _is_one_measurement(node: If) -> bool:
    """Return whether an `if` does nothing but measure one qubit into one bit."""
    if node.otherwise or len(node.then) != 1:
        return False
    (statement,) = node.then
    return (
        isinstance(statement, Assign)
        and isinstance(statement.value, Measurement)
        and statement.target.place is not None
        and not any(isinstance(item, Span | IndexSet) for item in statement.target.place)
    )
