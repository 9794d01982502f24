"""Runs loops: rounds that are known are expanded, and the rest becomes a loop of the circuit."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.ir import Apply, Bits, Formula
from quantcloud.openqasm.builder import STEP_WEIGHT
from quantcloud.openqasm.version3.arithmetic import indexing
from quantcloud.openqasm.version3.arithmetic.operators import operate
from quantcloud.openqasm.version3.arithmetic.values import (
    AnyValue,
    Classical,
    Known,
    Numbers,
    Range,
    Runtime,
    Type,
)
from quantcloud.openqasm.version3.reading.syntax import For, Span, While
from quantcloud.openqasm.version3.running.flow import Flow, has_return, targets
from quantcloud.openqasm.version3.running.guards import Frame, Leave, holds
from quantcloud.openqasm.version3.running.names import Variable
from quantcloud.openqasm.version3.running.storage import truth


class Loops(Flow):
    """Runs loops. Every method raises `CircuitError` at an error."""

    def loop_while(self, node: While) -> None:
        guards = self.guards
        with self._loop() as level:
            while True:
                test = self.test(node.test, node.start)
                if isinstance(test, Runtime):
                    break
                if not test.value:
                    return
                self.builder.charge(STEP_WEIGHT, node.start)
                seen = len(guards.stops)
                if self._round(node, level):
                    return
                if len(guards.stops) > seen:
                    # A measurement decides whether there is another round.
                    test = self.test(node.test, node.start)
                    break
            self._repeat(
                node,
                truth(test),
                lambda: truth(self.test(node.test, node.start)),
                lambda: self.block(node.body, node.start),
            )

    def loop_over(self, node: For) -> None:
        type_ = self.evaluator.type_of(node.type)
        span = node.values[-1]
        if isinstance(span, Span):
            ends = self.evaluator.parts(node.values[:-1])
            if any(isinstance(end, Runtime) for end in ends):
                self._counted(node, type_, span, ends)
                return
            value = self.evaluator.range(span, ends)
        else:
            value = self.evaluator.evaluate(node.values)
        with self._loop() as level:
            for item in self._items(node, value):
                self.builder.charge(STEP_WEIGHT, node.start)
                if self._round(node, level, (type_, item)):
                    return

    def _items(self, node: For, value: AnyValue) -> Iterator[Classical]:
        """Yield the values that a loop over `value` runs over."""
        if isinstance(value, Range | Numbers):
            try:
                numbers = indexing.numbers(value)
            except ExpressionError as error:
                raise self.lexer.error(str(error), node.start) from None
            for number in numbers:
                yield Known(Type("int"), number)
        elif isinstance(value, Known | Runtime) and value.type.kind == "bit":
            # The body may change the bits.
            copy = self.storage.copied(value, value.type, node.start).value
            for place in range(value.type.bits):
                part = indexing.indexed(copy, Known(Type("int"), place), "it")
                assert isinstance(part, Known | Runtime)  # noqa: S101 - a bit of the value
                yield part
        else:
            raise self.lexer.error(
                "a loop runs over a range such as [0:3], a set such as {0, 2} or bits", node.start
            )

    # Known rounds

    @contextmanager
    def _loop(self) -> Generator[int]:
        """Make a frame around the rounds of a loop that is expanded; yield its level."""
        guards = self.guards
        with self.restored():
            level = guards.enter(Frame("loop", guards.condition))
            try:
                yield level
            finally:
                guards.leave()

    def _round(
        self, node: For | While, level: int, item: tuple[Type, Classical] | None = None
    ) -> bool:
        """Expand one round of a loop; return whether it ended the loop in all shots.

        The condition of the next round excludes the shots that a jump ended.
        """
        guards = self.guards
        base, seen = guards.condition, len(guards.stops)
        guards.frames[level] = guards.frames[level]._replace(base=base)
        guards.enter(Frame("round", base))
        try:
            with self.names.scope(node.start):
                if item is not None and isinstance(node, For):
                    self._declare(node, *item)
                self.block(node.body, node.start)
        except Leave as leave:
            if leave.level < level:
                raise
            if leave.level == level:
                return True
        finally:
            guards.leave()
            guards.condition = base
        guards.without([stop.bit for stop in guards.stops[seen:]], node.start)
        return False

    def _declare(self, node: For, type_: Type, value: Classical) -> None:
        with self.lexer.located("in this loop", node.start):
            variable = self.storage.copied(value, type_, node.start)
        self.names.declare(node.name, variable, node.start)

    # Loops of the circuit

    def _repeat(
        self,
        node: For | While,
        first: Formula,
        test: Callable[[], Formula],
        block: Callable[[], None],
        step: Callable[[], None] | None = None,
    ) -> None:
        """Make a loop of the circuit. `step` runs at the end of a round, also after `continue`.

        `first` says whether there is a first round, and `test` whether there is another one. The
        test may call a subroutine that acts on qubits, so it is computed once for each round, and
        not in the shots that have left the loop.
        """
        guards, start = self.guards, node.start
        call = guards.call()
        returns = call is not None and has_return(node.body)
        pinned = self._pinned(node)
        if returns and call is not None and call.result is not None:
            pinned.append((call.result, "the result"))
        for variable, name in pinned:
            self.storage.keep(variable, name, start)
            variable.pinned += 1
        returned = None
        if returns:
            returned = guards.allocate(1, start)
            guards.keep(returned, 1, (0,), start)
        with self.restored():
            alive = guards.computed(first, start)
            self.builder.begin_loop(alive, start)
            guards.condition = None
            level = guards.enter(Frame("loop", None, is_loop=True, returned=returned))
            ended = self._one_round(level, block)
            guards.condition = None
            if step is not None:
                step()
            guards.without(guards.leave(), start)
            formula: Formula = (0,) if ended else test()
            if guards.condition is not None:
                formula = (*holds(guards.condition), *formula, Apply("&&", 1))
            guards.keep(alive.offset, 1, formula, start)
            self.builder.end_loop()
        for variable, _ in pinned:
            variable.pinned -= 1
        if returned is not None:
            with self.restored():
                guards.condition = guards.computed((Bits(returned, 1),), start)
                guards.jump_out(start)

    def _one_round(self, level: int, block: Callable[[], None]) -> bool:
        """Run the body of a loop of the circuit; return whether it has no second round."""
        guards = self.guards
        guards.enter(Frame("round", None))
        try:
            block()
        except Leave as leave:
            if leave.level < level:
                raise
            return leave.level == level
        finally:
            guards.leave()
        return False

    def _pinned(self, node: For | While) -> list[tuple[Variable, str]]:
        """Return the variables that the rounds of a loop may change, with their names."""
        found: list[tuple[Variable, str]] = []
        for name in sorted({target.name for target in targets(node.body)}):
            entry = self.names.visible(name)
            if isinstance(entry, Variable) and not (entry.is_constant or entry.is_output):
                found.append((entry, name))
        return found

    def _counted(self, node: For, type_: Type, span: Span, ends: Sequence[object]) -> None:
        """Run a loop over a range with an end that depends on a measurement."""
        values = list(ends)
        last = values.pop() if span.has_last else None
        step = values.pop() if span.has_step else Known(Type("int"), 1)
        first = values.pop() if span.has_first else None
        if not isinstance(step, Known) or not step.value:
            raise self.lexer.error("the step of a loop must be a constant other than 0", node.start)
        if not isinstance(first, Known | Runtime) or not isinstance(last, Known | Runtime):
            raise self.lexer.error("a loop needs both ends of its range", node.start)
        # The counter is wider than the ends, so the loop ends even if the variable wraps.
        wide = Type("int", max(type_.bits, first.type.bits, last.type.bits) + 2)
        with (
            self.restored(),
            self.names.scope(node.start),
            self.lexer.located("in this loop", node.start),
        ):
            counter = self.storage.copied(first, wide, node.start)
            end = self.storage.copied(last, wide, node.start)
            self.storage.keep(counter, "the counter", node.start)
            counter.pinned += 1

            def goes_on() -> Formula:
                compare = "<=" if step.value > 0 else ">="
                test = operate(compare, counter.value, end.value, real=False)
                assert isinstance(test, Runtime)  # noqa: S101 - the counter is one
                return test.formula

            def run_round() -> None:
                self._declare(node, type_, counter.value)
                self.block(node.body, node.start)

            def advance() -> None:
                value = operate("+", counter.value, step, real=False)
                self.storage.assign(counter, value, node.name, node.start)

            self._repeat(node, goes_on(), goes_on, run_round, advance)
