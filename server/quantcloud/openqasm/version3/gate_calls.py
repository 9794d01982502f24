"""Runs calls of gates, definitions of gates, and other instructions on qubits."""

from typing import Final

from quantcloud.circuits.expressions import ExpressionError, is_constant
from quantcloud.circuits.ir import Expression, GateCall
from quantcloud.openqasm.builder import Operand
from quantcloud.openqasm.hints import quantity
from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3 import modified_gates
from quantcloud.openqasm.version3.evaluator import Evaluator
from quantcloud.openqasm.version3.flow import Flow
from quantcloud.openqasm.version3.guards import State
from quantcloud.openqasm.version3.modified_gates import PHASE, Steps
from quantcloud.openqasm.version3.names import Variable
from quantcloud.openqasm.version3.normal_forms import Angles
from quantcloud.openqasm.version3.syntax import (
    Barrier,
    Declaration,
    Delay,
    For,
    Gate,
    GateBody,
    If,
    Modifier,
    Nothing,
    Opaque,
    Reset,
    Statement,
    Switch,
    While,
)
from quantcloud.openqasm.version3.values import FLOAT, Known, Qubits, Symbolic

_IN_GATES: Final = (Gate, Barrier, If, For, While, Switch, Nothing, Declaration)
_MOST_CACHED: Final = 256


class GateCalls:
    """Runs instructions on qubits. Every method raises `CircuitError` at an error."""

    def __init__(
        self,
        state: State,
        evaluator: Evaluator,
        flow: Flow,
    ) -> None:
        self._lexer, self._builder, self._names, self._guards = state
        self._evaluator = evaluator
        self._flow = flow
        # The global phases in the bodies of definitions.
        self._phases: dict[str, tuple[Expression, ...]] = {}
        # The gate that is being defined, its body and its global phases.
        self._defining: str | None = None
        self._body: list[GateCall] = []
        self._body_phases: list[Expression] = []
        self._cache: dict[tuple[object, ...], Steps] = {}

    @property
    def is_defining(self) -> bool:
        """Whether the present statement is in the definition of a gate."""
        return self._defining is not None

    # Definitions

    def check_allowed(self, statement: Statement) -> None:
        """Check that a statement may stand in the definition of a gate."""
        if not isinstance(statement, _IN_GATES) or (
            isinstance(statement, Declaration) and not statement.is_constant
        ):
            word = type(statement).__name__.lower()
            raise self._lexer.error(
                f"expected a gate or 'barrier' in the definition of {shown(self._defining or '')}, "
                f"got a statement of another kind ({word})",
                statement.start,
            )

    def opaque(self, node: Opaque) -> None:
        """Declare a gate without a definition."""
        self._check_new(node.name, node.start)
        self._builder.gates.declare_opaque(node.name)

    def _check_new(self, name: str, start: int) -> None:
        self._builder.check_new(name, start)
        self._builder.gates.check_new(name, start)

    def define(self, node: GateBody) -> None:
        """Define a gate."""
        self._check_new(node.name, node.start)
        self._names.enter(node.start, function=True)
        self._defining = node.name
        self._body, self._body_phases = [], []
        try:
            for place, name in enumerate(node.params):
                angle = Variable(FLOAT, Symbolic((place,), name), is_constant=True)
                self._names.declare(name, angle, node.start)
            for place, name in enumerate(node.qubits):
                self._names.declare(name, Qubits((place,), is_register=False), node.start)
            self._flow.block(node.body, node.start)
        finally:
            self._defining = None
            self._names.leave()
        gates = self._builder.gates
        body = self._without_itself(node)
        gates.define(node.name, len(node.params), len(node.qubits), body, node.brace)
        if self._body_phases and node.name in gates.definitions:
            self._phases[node.name] = tuple(self._body_phases)

    def _without_itself(self, node: GateBody) -> list[GateCall]:
        """Replace the gate itself, which modifiers have led to, by builtin gates.

        As in stdgates.inc, the body may hold only that call: the gate is the standard one then.
        """
        width = len(node.qubits)
        params = tuple([(place,) for place in range(len(node.params))])
        if self._body == [GateCall(node.name, tuple(range(width)), params)] and not any(
            map(is_constant, self._body[0].params)
        ):
            return self._body
        steps = Steps(width, tuple(self._body))
        return list(modified_gates.without_shadowed(steps, {node.name: None}).calls)

    # Calls

    def call(self, node: Gate) -> None:
        """Apply a gate, with its modifiers."""
        angles = tuple([self._evaluator.angle(code) for code in node.params])
        name = self._resolved(node)
        operands = [self._evaluator.qubits(code) for code in node.operands]
        if name == PHASE and len(angles) != 1:
            raise self._lexer.error("'gphase' takes 1 parameter", node.start)
        if not node.modifiers and name != PHASE:
            self._apply(name, angles, operands, node.start)
            return
        if name != PHASE:
            gates = self._builder.gates
            width = gates.signature(name).num_qubits
            gates.check_call(name, len(angles), width, node.start)
        elif not node.modifiers:
            # Without controls its only effect is in a definition.
            self._body_phases += angles
            return
        steps = self._modified(node, name, angles)
        if len(steps.calls) == 1 and steps.calls[0].qubits == tuple(range(steps.width)):
            only = steps.calls[0]
            self._note(steps)
            self._apply(only.name, only.params, operands, node.start)
            return
        self._apply_steps(steps, operands, node.start)

    def _resolved(self, node: Gate) -> str:
        name, builder = node.name, self._builder
        if name == PHASE:
            return name
        if name == self._defining:
            builder.gates.refuse_recursion(name, node.start)
        if name in builder.qubits or name in builder.clbits:
            raise self._lexer.error(
                f"{shown(name)} is a register; a statement begins with a gate, 'measure', 'reset', "
                "'barrier' or 'if'",
                node.start,
            )
        return builder.gates.resolved(name, node.start)

    def _apply(self, name: str, angles: Angles, operands: list[Operand], start: int) -> None:
        if name != self._defining:
            self._builder.gates.check_call(name, len(angles), len(operands), start)
        if self._defining is None:
            try:
                params = self._builder.angles(angles, start)
            except ExpressionError as error:
                raise self._lexer.error(f"in this expression: {error}", start) from None
            self._builder.gate(name, params, operands, start, self._guards.condition)
            return
        qubits = tuple([operand.offset for operand in operands])
        self._check_distinct(name, qubits, start)
        self._builder.charge(1, start)
        self._body.append(GateCall(name, qubits, angles))

    def _check_distinct(self, name: str, qubits: tuple[int, ...], start: int) -> None:
        if len(set(qubits)) < len(qubits):
            raise self._lexer.error(f"gate '{name}' would act on the same qubit twice", start)

    def _note(self, steps: Steps) -> None:
        for call in steps.calls:
            if call.name != self._defining:
                self._builder.gates.resolved(call.name, 0)
        self._body_phases += steps.phases

    def _apply_steps(self, steps: Steps, operands: list[Operand], start: int) -> None:
        self._note(steps)
        if self._defining is None:
            self._builder.gate_steps(
                steps.calls, steps.width, operands, start, self._guards.condition
            )
            return
        if len(operands) != steps.width:
            takes = quantity(steps.width, "qubit")
            raise self._lexer.error(f"this gate takes {takes}, got {len(operands)}", start)
        qubits = tuple([operand.offset for operand in operands])
        self._check_distinct("with its modifiers", qubits, start)
        self._builder.charge(len(steps.calls), start)
        self._body += [
            call._replace(qubits=tuple([qubits[place] for place in call.qubits]))
            for call in steps.calls
        ]

    # Modifiers

    def _modified(self, node: Gate, name: str, angles: Angles) -> Steps:
        """Return the standard gates that a gate with modifiers stands for."""
        arguments = tuple([self._argument(modifier) for modifier in node.modifiers])
        words = tuple([modifier.word for modifier in node.modifiers])
        # An angle that is a parameter may be equal to one that is a number.
        key = (self._defining, name, repr(angles), words, arguments)
        found = self._cache.get(key)
        if found is not None:
            return found
        gates = self._builder.gates
        width = 0 if name == PHASE else gates.signature(name).num_qubits
        try:
            steps = modified_gates.steps(name, angles, width, gates.definitions, self._phases)
            for word, argument in zip(reversed(words), reversed(arguments), strict=True):
                self._builder.charge(len(steps.calls), node.start)
                if word == "inv":
                    steps = modified_gates.inverted(steps)
                elif word == "pow":
                    steps = modified_gates.power(steps, argument)
                elif word == "ctrl":
                    steps = modified_gates.with_controls(steps, int(argument))
                else:
                    steps = modified_gates.with_negative_controls(steps, int(argument))
            steps = modified_gates.without_shadowed(steps, gates.definitions)
        except ExpressionError as error:
            raise self._lexer.error(
                f"in the modifiers of gate {shown(name)}: {error}", node.start
            ) from None
        if len(self._cache) < _MOST_CACHED and len(steps.calls) < _MOST_CACHED:
            self._cache[key] = steps
        return steps

    def _argument(self, modifier: Modifier) -> float:
        if modifier.argument is None:
            return 1
        if modifier.word == "pow":
            return self._evaluator.number(modifier.argument, "the exponent of 'pow'")
        count = self._evaluator.size(modifier.argument, "a number of controls")
        if not count:
            raise self._lexer.error("a number of controls must be at least 1", modifier.start)
        return count

    # Other instructions

    def barrier(self, node: Barrier) -> None:
        """Put a barrier on qubits, or on all of them."""
        operands = [self._evaluator.qubits(code) for code in node.operands]
        if self._defining is None:
            self._builder.barrier(operands, operands[0].start if operands else node.start)
            return
        qubits = [operand.offset for operand in operands]
        if not operands:
            qubits = [each.bits[0] for each in self._names.qubits_here()]
        self._builder.charge(len(qubits), node.start)
        self._body.append(GateCall("barrier", tuple(dict.fromkeys(qubits))))

    def reset(self, node: Reset) -> None:
        """Reset qubits."""
        target = self._evaluator.qubits(node.target)
        self._builder.reset(target, node.start, self._guards.condition)

    def delay(self, node: Delay) -> None:
        """Keep qubits idle."""
        duration = self._evaluator.value(node.duration)
        if isinstance(duration, Symbolic):
            raise self._lexer.error(f"a duration cannot depend on {duration}", node.start)
        if not isinstance(duration, Known) or duration.type.kind != "duration":
            raise self._lexer.error(
                "a delay needs a constant duration, such as 100ns or 2us", node.start
            )
        if duration.value < 0:
            raise self._lexer.error("a delay cannot be negative", node.start)
        operands = [self._evaluator.qubits(code) for code in node.operands]
        self._builder.delay(operands, duration.value, node.start, self._guards.condition)
