"""Runs branches and jumps: what is known is expanded, the rest becomes part of the circuit."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from quantcloud.circuits.ir import Apply, Bits, Condition, Formula
from quantcloud.openqasm.version3.arithmetic.operators import operate
from quantcloud.openqasm.version3.arithmetic.values import BOOL, Known, Runtime, Symbolic, converted
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.words import refusal
from quantcloud.openqasm.version3.running.evaluator import Evaluator
from quantcloud.openqasm.version3.running.guards import State, simple
from quantcloud.openqasm.version3.running.names import Variable
from quantcloud.openqasm.version3.running.storage import Storage, truth


class Flow:
    """Runs statements of control flow. Every method raises `CircuitError` at an error."""

    def __init__(
        self,
        state: State,
        evaluator: Evaluator,
        storage: Storage,
        execute: Callable[[syntax.Statement], None],
    ) -> None:
        """`execute` runs one statement."""
        self.lexer, self.builder, self.names, self.guards = state
        self.evaluator = evaluator
        self.storage = storage
        self.execute = execute

    def block(self, body: syntax.Body, start: int) -> None:
        """Run a block in a scope of its own."""
        guards = self.guards
        with self.names.scope(start):
            seen = len(guards.stops)
            for statement in body:
                self.execute(statement)
                if len(guards.stops) > seen:
                    guards.without([stop.bit for stop in guards.stops[seen:]], start)
                    seen = len(guards.stops)

    @contextmanager
    def restored(self) -> Generator[None]:
        condition = self.guards.condition
        try:
            yield
        finally:
            self.guards.condition = condition

    def test(self, code: syntax.Code, start: int) -> Known | Runtime:
        value = self.evaluator.value(code)
        if isinstance(value, Known):
            with self.lexer.located("in this condition", start):
                value = converted(value, BOOL)
        if not isinstance(value, Known | Runtime):
            raise self.lexer.error(f"a condition cannot depend on {value}", start)
        return value

    # Branches

    def branch(self, node: syntax.If) -> None:
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

    def _direct(self, node: syntax.If, test: Runtime) -> Condition | None:
        """Return the condition if the operations of the branches can carry it as it is."""
        condition = simple(test.formula)
        if (
            condition is None
            or self.guards.condition is not None
            or (node.otherwise and (condition.size != 1 or condition.value > 1))
            or _has_jump(node.then, node.otherwise)
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

    def _changed(self, target: syntax.Target) -> Bits | None:
        """Return the bits that an assignment may change, or None if no condition reads them."""
        variable = self.names.visible(target.name)
        if not isinstance(variable, Variable) or variable.cell is None or not variable.is_kept:
            return None
        index = target.place
        if index is not None and all(isinstance(item, Known | syntax.Index) for item in index):
            return self.evaluator.bits(variable, target)
        return Bits(variable.cell, variable.type.bits)

    def switch(self, node: syntax.Switch) -> None:
        value = self.evaluator.value(node.value)
        if isinstance(value, Symbolic):
            raise self.lexer.error(f"a 'switch' cannot depend on {value}", node.start)
        cases: list[tuple[list[Known], syntax.Body]] = []
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
        guards: list[tuple[Condition, syntax.Body]] = []
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

    def jump(self, node: syntax.Jump) -> None:
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


def _is_one_measurement(node: syntax.If) -> bool:
    """Return whether an `if` does nothing but measure one qubit into one bit."""
    if node.otherwise or len(node.then) != 1:
        return False
    (statement,) = node.then
    return (
        isinstance(statement, syntax.Assign)
        and isinstance(statement.value, syntax.Measure)
        and statement.target.place is not None
        and not any(
            isinstance(item, syntax.Span | syntax.IndexSet) for item in statement.target.place
        )
    )


# What a part of a program may do, without running it


def _statements(*bodies: syntax.Body) -> Iterator[syntax.Statement]:
    """Yield all statements in bodies, also those inside of others."""
    pending = [statement for body in bodies for statement in body]
    while pending:
        statement = pending.pop()
        yield statement
        if isinstance(statement, syntax.If):
            pending += [*statement.then, *statement.otherwise]
        elif isinstance(statement, syntax.While | syntax.For):
            pending += statement.body
        elif isinstance(statement, syntax.Switch):
            pending += [each for _, body in statement.cases for each in body]
            pending += statement.default


def targets(*bodies: syntax.Body) -> Iterator[syntax.Target]:
    """Yield what assignments and measurements may change."""
    for statement in _statements(*bodies):
        if isinstance(statement, syntax.Assign):
            yield statement.target


def _has_jump(*bodies: syntax.Body) -> bool:
    """Return whether a statement may jump."""
    return any(
        isinstance(statement, syntax.Jump | syntax.Return) for statement in _statements(*bodies)
    )


def has_return(*bodies: syntax.Body) -> bool:
    """Return whether a statement may return."""
    return any(isinstance(statement, syntax.Return) for statement in _statements(*bodies))
