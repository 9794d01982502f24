"""Runs a program of OpenQASM 3 statement by statement, which makes its circuit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from quantcloud.openqasm.builder import STEP_WEIGHT, CircuitBuilder
from quantcloud.openqasm.hints import quantity
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.arithmetic.values import (
    REALS,
    AnyValue,
    Array,
    Classical,
    Known,
    Qubits,
    Runtime,
    Symbolic,
    Type,
)
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.words import refusal
from quantcloud.openqasm.version3.running.evaluator import Evaluator
from quantcloud.openqasm.version3.running.gate_calls import GateCalls
from quantcloud.openqasm.version3.running.guards import Frame, Guards, Leave, State
from quantcloud.openqasm.version3.running.loops import Loops
from quantcloud.openqasm.version3.running.names import Names, Variable, output
from quantcloud.openqasm.version3.running.storage import Storage

_MOST_CALLS: Final = 40


class Interpreter:
    """Runs statements. Every method raises `CircuitError` at the position of an error."""

    def __init__(self, lexer: Lexer, builder: CircuitBuilder) -> None:
        self._lexer = lexer
        self._builder = builder
        self.names = Names(lexer, builder)
        self._guards = Guards(lexer, builder)
        state = State(lexer, builder, self.names, self._guards)
        self._evaluator = Evaluator(lexer, builder, self.names, self._call)
        self._storage = Storage(state, self._evaluator)
        self._loops = Loops(state, self._evaluator, self._storage, self.execute)
        self._gates = GateCalls(state, self._evaluator, self._loops)
        self._active: list[str] = []
        self._handlers: Mapping[type[Any], Callable[[Any], None]] = {
            syntax.Declaration: self._storage.declare,
            syntax.Input: self._input,
            syntax.Alias: self._alias,
            syntax.Assign: self._storage.execute,
            syntax.Measure: self._storage.measure,
            syntax.Gate: self._gates.call,
            syntax.Barrier: self._gates.barrier,
            syntax.Reset: self._gates.reset,
            syntax.Delay: self._gates.delay,
            syntax.Expression: self._expression,
            syntax.If: self._loops.branch,
            syntax.While: self._loops.loop_while,
            syntax.For: self._loops.loop_over,
            syntax.Switch: self._loops.switch,
            syntax.Jump: self._loops.jump,
            syntax.Return: self._return,
            syntax.Subroutine: self._subroutine,
            syntax.GateBody: self._gates.define,
            syntax.Opaque: self._gates.opaque,
            syntax.Nothing: lambda _: None,
        }

    def execute(self, statement: syntax.Statement) -> None:
        if self._guards.frames or not self.names.is_global:
            self._builder.charge(STEP_WEIGHT, statement.start)
            if isinstance(
                statement, syntax.Subroutine | syntax.GateBody | syntax.Input | syntax.Opaque
            ):
                raise self._lexer.error(
                    "gates, subroutines and parameters are declared at the top level",
                    statement.start,
                )
        if self._gates.is_defining:
            self._gates.check_allowed(statement)
        self._handlers[type(statement)](statement)

    def _input(self, node: syntax.Input) -> None:
        name, start = node.name, node.start
        if node.type.kind not in REALS:
            raise refusal(
                self._lexer,
                f"inputs of type {node.type.kind} ({shown(name)})",
                "declare a 'float' or an 'angle', or write the value as a 'const'",
                start,
            )
        type_ = self._evaluator.type_of(node.type)
        self.names.check_new(name, start)
        if not node.dimensions:
            place = self._builder.declare_input(name, None, start)
            value = Symbolic((place,), name, is_input=True)
            self.names.declare(name, Variable(type_, value, is_input=True), start)
            return
        first, *others = node.dimensions
        if others:
            raise refusal(
                self._lexer,
                f"inputs with several dimensions ({shown(name)})",
                "declare an array with one, such as 'input array[float[64], 16] w;'",
                start,
            )
        size = self._evaluator.size(first, "the size of an array")
        if not size:
            raise self._lexer.error(f"the array {shown(name)} has no elements", start)
        place = self._builder.declare_input(name, size, start)
        self.names.declare(name, Array(place, size, name), start)

    def _alias(self, node: syntax.Alias) -> None:
        value = self._evaluator.evaluate(node.value)
        if isinstance(value, Qubits):
            self.names.declare(node.name, value, node.start)
            return
        if not isinstance(value, Runtime) or value.type.kind != "bit" or value.bits is None:
            raise self._lexer.error(
                "an alias stands for qubits, or for adjacent bits of a register", node.start
            )
        register = output(Type("bit", value.bits.size), value.bits.offset)
        self.names.declare(node.name, register, node.start)

    # Subroutines

    def _subroutine(self, node: syntax.Subroutine) -> None:
        self.names.check_new(node.name, node.start)
        self._builder.names.add(node.name)
        self.names.subroutines[node.name] = node

    def _expression(self, node: syntax.Expression) -> None:
        name = node.call.name
        if name not in self.names.subroutines:
            raise self._lexer.error(
                f"expected the qubits of gate {shown(name)}"
                if self._builder.gates.is_known(name)
                else f"{shown(name)} is no subroutine and no gate",
                node.start,
            )
        self._call(node.call, [self._evaluator.evaluate(each) for each in node.arguments])

    def _call(self, call: syntax.Call, arguments: Sequence[AnyValue]) -> Classical | None:
        node = self.names.subroutines[call.name]
        if call.name in self._active:
            raise self._lexer.error(
                f"subroutine {shown(call.name)} calls itself; use a loop", call.start
            )
        if len(self._active) >= _MOST_CALLS:
            raise refusal(
                self._lexer, f"calls more than {_MOST_CALLS} deep", "use fewer", call.start
            )
        if self._gates.is_defining:
            raise self._lexer.error("a gate cannot call a subroutine", call.start)
        if len(arguments) != len(node.parameters):
            takes = quantity(len(node.parameters), "argument")
            raise self._lexer.error(
                f"subroutine {shown(call.name)} takes {takes}, got {len(arguments)}", call.start
            )
        guards = self._guards
        # The parameters are computed outside of the scope of the subroutine.
        bound = [
            self._bound(parameter, argument, call)
            for parameter, argument in zip(node.parameters, arguments, strict=True)
        ]
        result = None
        if node.result is not None:
            result = self._storage.variable(self._evaluator.type_of(node.result))
        condition = guards.condition
        level = guards.enter(Frame("call", condition, result=result))
        self._active.append(call.name)
        try:
            with self.names.scope(call.start, function=True):
                for parameter, value in zip(node.parameters, bound, strict=True):
                    self.names.declare(parameter.name, value, parameter.start)
                self._loops.block(node.body, call.start)
        except Leave as leave:
            if leave.level != level:
                raise
        finally:
            self._active.pop()
            guards.leave()
            guards.condition = condition
        return None if result is None else result.value

    def _bound(
        self, parameter: syntax.Declaration, argument: AnyValue, call: syntax.Call
    ) -> Variable | Qubits:
        name = shown(parameter.name)
        if parameter.type.kind == "qubit":
            size = parameter.type.size
            count = None if size is None else self._evaluator.size(size, "a size")
            if not isinstance(argument, Qubits) or (
                len(argument.bits) != (1 if count is None else count)
            ):
                raise self._lexer.error(
                    f"the parameter {name} takes {quantity(count or 1, 'qubit')}", call.start
                )
            return Qubits(argument.bits, is_register=count is not None)
        if not isinstance(argument, Known | Symbolic | Runtime):
            raise self._lexer.error(f"the parameter {name} takes a classical value", call.start)
        type_ = self._evaluator.type_of(parameter.type)
        with self._lexer.located(f"for the parameter {name}", call.start):
            return self._storage.copied(argument, type_, call.start)

    def _return(self, node: syntax.Return) -> None:
        frame = self._guards.call()
        if frame is None:
            raise self._lexer.error("'return' has to be in a subroutine", node.start)
        if (frame.result is None) != (node.value is None):
            what = "has no result" if frame.result is None else "has to return a value"
            raise self._lexer.error(f"this subroutine {what}", node.start)
        if frame.result is not None and node.value is not None:
            target = syntax.Target("result", None, node.start)
            self._storage.store(frame.result, target, node.value)
        self._guards.jump_out(node.start)
