"""Runs calls of gates, definitions of gates, and other instructions on qubits."""

from collections.abc import Sequence
from typing import Final

from quantcloud.circuits.expressions import is_constant
from quantcloud.circuits.ir import Expression, GateCall
from quantcloud.openqasm.builder import Operand
from quantcloud.openqasm.hints import quantity
from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3.arithmetic.values import FLOAT, Known, Qubits, Symbolic
from quantcloud.openqasm.version3.gates import modified_gates
from quantcloud.openqasm.version3.gates.modified_gates import PHASE, Steps
from quantcloud.openqasm.version3.gates.normal_forms import Angles
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.running.evaluator import Evaluator
from quantcloud.openqasm.version3.running.flow import Flow
from quantcloud.openqasm.version3.running.guards import State
from quantcloud.openqasm.version3.running.names import Variable

_IN_GATES: Final = (
    syntax.Gate,
    syntax.Barrier,
    syntax.If,
    syntax.For,
    syntax.While,
    syntax.Switch,
    syntax.Nothing,
    syntax.Declaration,
)
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
        return self._defining is not None

    # Definitions

    def check_allowed(self, statement: syntax.Statement) -> None:
        """Check that a statement may stand in the definition of a gate."""
        if not isinstance(statement, _IN_GATES) or (
            isinstance(statement, syntax.Declaration) and not statement.is_constant
        ):
            word = type(statement).__name__.lower()
            raise self._lexer.error(
                f"expected a gate or 'barrier' in the definition of {shown(self._defining or '')}, "
                f"got a statement of another kind ({word})",
                statement.start,
            )

    def opaque(self, node: syntax.Opaque) -> None:
        self._builder.check_new_gate(node.name, node.start)
        self._builder.gates.declare_opaque(node.name)

    def define(self, node: syntax.GateBody) -> None:
        self._builder.check_new_gate(node.name, node.start)
        self._defining = node.name
        self._body, self._body_phases = [], []
        try:
            with self._names.scope(node.start, function=True):
                for place, name in enumerate(node.params):
                    angle = Variable(FLOAT, Symbolic((place,), name), is_constant=True)
                    self._names.declare(name, angle, node.start)
                for place, name in enumerate(node.qubits):
                    self._names.declare(name, Qubits((place,), is_register=False), node.start)
                self._flow.block(node.body, node.start)
        finally:
            self._defining = None
        width, params = len(node.qubits), tuple([(place,) for place in range(len(node.params))])
        # Modifiers can lead to the gate itself: a controlled swap is a cswap. If the body is only
        # that call, as in stdgates.inc, the gate is the standard one.
        if self._body == [GateCall(node.name, tuple(range(width)), params)] and not any(
            map(is_constant, self._body[0].params)
        ):
            return
        body = modified_gates.without_shadowed(Steps(width, tuple(self._body)), {node.name})
        self._builder.gates.define(node.name, len(params), width, body.calls)
        if self._body_phases:
            self._phases[node.name] = tuple(self._body_phases)

    # Calls

    def call(self, node: syntax.Gate) -> None:
        angles = tuple([self._evaluator.angle(code) for code in node.params])
        name = self._resolved(node)
        operands = [self._evaluator.qubits(code) for code in node.operands]
        if name == PHASE and len(angles) != 1:
            raise self._lexer.error(f"'gphase' takes 1 parameter, got {len(angles)}", node.start)
        if not node.modifiers:
            if name == PHASE:
                # Its only effect is in a definition.
                self._body_phases += angles
            else:
                self._apply(name, angles, operands, node.start)
            return
        steps = self._modified(node, name, angles)
        for call in steps.calls:
            if call.name != self._defining:
                self._builder.gates.resolved(call.name, 0)
        self._body_phases += steps.phases
        if len(steps.calls) == 1 and steps.calls[0].qubits == tuple(range(steps.width)):
            only = steps.calls[0]
            self._apply(only.name, only.params, operands, node.start)
            return
        self._apply_steps(name, steps, operands, node.start)

    def _resolved(self, node: syntax.Gate) -> str:
        name, builder = node.name, self._builder
        if name == PHASE:
            return name
        if name == self._defining:
            builder.gates.refuse_recursion(name, node.start)
        builder.check_is_gate(name, node.start)
        return builder.gates.resolved(name, node.start)

    def _apply(self, name: str, angles: Angles, operands: list[Operand], start: int) -> None:
        if name != self._defining:
            self._builder.gates.check_call(name, len(angles), len(operands), start)
        if self._defining is None:
            with self._lexer.located("in this expression", start):
                params = self._builder.angles(angles, start)
            self._builder.gate(name, params, operands, start, self._guards.condition)
            return
        call = GateCall(name, tuple(range(len(operands))), angles)
        self._append((call,), operands, name, start)

    def _apply_steps(self, name: str, steps: Steps, operands: list[Operand], start: int) -> None:
        if len(operands) != steps.width:
            takes = quantity(steps.width, "qubit")
            raise self._lexer.error(f"this gate takes {takes}, got {len(operands)}", start)
        if self._defining is None:
            with self._lexer.located("in this expression", start):
                self._builder.gate_steps(name, steps.calls, operands, start, self._guards.condition)
        else:
            self._append(steps.calls, operands, name, start)

    def _append(
        self, calls: Sequence[GateCall], operands: Sequence[Operand], name: str, start: int
    ) -> None:
        """Add the calls of a gate to the definition."""
        qubits = tuple([operand.offset for operand in operands])
        self._builder.gates.check_differ(name, qubits, start)
        self._builder.charge(len(calls), start)
        self._body += [
            call._replace(qubits=tuple([qubits[place] for place in call.qubits])) for call in calls
        ]

    # Modifiers

    def _modified(self, node: syntax.Gate, name: str, angles: Angles) -> Steps:
        """Return the standard gates that a gate with modifiers stands for."""
        gates = self._builder.gates
        width = 0
        if name != PHASE:
            width = gates.check_call(name, len(angles), None, node.start).num_qubits
        arguments = tuple([self._argument(modifier) for modifier in node.modifiers])
        words = tuple([modifier.word for modifier in node.modifiers])
        # An angle that is a parameter may be equal to one that is a number.
        key = (self._defining, name, repr(angles), words, arguments)
        found = self._cache.get(key)
        if found is not None:
            return found
        with self._lexer.located(f"in the modifiers of gate {shown(name)}", node.start):
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
        if len(self._cache) < _MOST_CACHED and len(steps.calls) < _MOST_CACHED:
            self._cache[key] = steps
        return steps

    def _argument(self, modifier: syntax.Modifier) -> float:
        if modifier.argument is None:
            return 1
        if modifier.word == "pow":
            return self._evaluator.number(modifier.argument, "the exponent of 'pow'")
        count = self._evaluator.size(modifier.argument, "a number of controls")
        if not count:
            raise self._lexer.error("a number of controls must be at least 1", modifier.start)
        return count

    # Other instructions

    def barrier(self, node: syntax.Barrier) -> None:
        operands = [self._evaluator.qubits(code) for code in node.operands]
        if self._defining is None:
            self._builder.barrier(operands, operands[0].start if operands else node.start)
            return
        qubits = [operand.offset for operand in operands]
        if not operands:
            qubits = [each.bits[0] for each in self._names.qubits_here()]
        self._builder.charge(len(qubits), node.start)
        self._body.append(GateCall("barrier", tuple(dict.fromkeys(qubits))))

    def reset(self, node: syntax.Reset) -> None:
        target = self._evaluator.qubits(node.target)
        self._builder.reset(target, node.start, self._guards.condition)

    def delay(self, node: syntax.Delay) -> None:
        duration = self._evaluator.value(node.duration)
        if isinstance(duration, Symbolic):
            raise self._lexer.error(f"a duration cannot depend on {duration}", node.start)
        if not isinstance(duration, Known) or duration.type.kind != "duration":
            raise self._lexer.error(
                "a delay needs a constant duration, such as 100ns or 2us", node.start
            )
        operands = [self._evaluator.qubits(code) for code in node.operands]
        self._builder.delay(operands, duration.value, node.start, self._guards.condition)
