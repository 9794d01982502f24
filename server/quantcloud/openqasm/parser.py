"""Parses OpenQASM 2.0 token by token; also the base of the parser of version 3."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Final

from quantcloud.circuits.ir import Circuit, Condition, Expression, GateCall
from quantcloud.openqasm.builder import DT_SECONDS, CircuitBuilder, Operand
from quantcloud.openqasm.expressions import parsed_angle, parsed_constant
from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.operands import OperandReader
from quantcloud.openqasm.shortcuts import Shortcuts

_RESERVED: Final = words(
    "OPENQASM include qreg creg gate opaque measure reset barrier if U CX pi "
    "sin cos tan exp ln sqrt asin acos atan"
)
# Statements whose text has the same meaning each time.
_REPEATABLE: Final = words("measure reset barrier if")
# Semicolons of empty statements.
_NOTHING: Final = re.compile(r"[; \t\r\n]++")
_MAX_PRINTED_NAMES: Final = 8


class Parser:
    """Parses a whole source of version 2.0; `version3.parser.Parser3` is a subclass.

    Every method raises `CircuitError` at the position of the error.
    """

    version = 2
    libraries: tuple[str, ...] = ("qelib1.inc",)
    reserved: frozenset[str] = _RESERVED
    synonyms: Mapping[str, str] = {}

    def __init__(self, source: str, *, shortcuts: bool = True) -> None:
        """Prepare to parse `source`; with `shortcuts=False`, only by its tokens."""
        self.lexer = Lexer(source, self.version, self.reserved)
        self.program = CircuitBuilder(self.lexer, self.synonyms)
        self.operands = OperandReader(self.lexer, self.program)
        self._defining: str | None = None
        is_version_3 = self.version > 2  # noqa: PLR2004 - the versions are 2 and 3
        self._shortcuts = (
            Shortcuts(self.lexer, self.program, is_version_3=is_version_3) if shortcuts else None
        )

    @cached_property
    def statements(self) -> Mapping[str, Callable[[], None]]:
        return {
            "OPENQASM": self._late_header,
            "include": self._include,
            "qreg": lambda: self.program.declare_qubits(*self._sized_name("quantum")),
            "creg": lambda: self.program.declare_clbits(*self._sized_name("classical")),
            "gate": self._gate,
            "opaque": self._opaque,
            "if": self._if,
            "measure": lambda: self.instruction(None),
            "reset": lambda: self.instruction(None),
            "barrier": self._barrier,
            # A keyword of OpenQASM 3 that PennyLane also writes into 2.0.
            "gphase": self._gphase,
        }

    def parse(self) -> Circuit:
        """Parse the source to its end."""
        lexer, program, shortcuts = self.lexer, self.program, self._shortcuts
        offset = 0 if shortcuts is None else shortcuts.head(self.libraries)
        if not offset:
            lexer.seek(0)
            if lexer.accept("OPENQASM"):
                lexer.advance()
                lexer.end_statement()
            offset = lexer.start
        while True:
            if shortcuts is not None:
                offset = shortcuts.take(offset)
                if offset == len(lexer.source):
                    break
            if offset != lexer.start:
                lexer.seek(offset)
            if lexer.kind == "end":
                break
            start = lexer.start
            first, weight = len(program.operations), program.weight
            if self.statement() and shortcuts is not None:
                shortcuts.remember(start, first, program.weight - weight)
            offset = lexer.start
        if not program.num_qubits:
            raise lexer.error(
                "the circuit has no qubits; it needs at least one, as in 'qreg q[2];'", 0
            )
        return program.circuit()

    def statement(self) -> bool:
        """Parse one statement; return whether its text has the same meaning each time."""
        if self.lexer.at(";"):
            match = _NOTHING.match(self.lexer.source, self.lexer.start)
            self.lexer.seek(match.end() if match else self.lexer.end)
            return False
        word = self.lexer.text
        handler = self.statements.get(word) if self.lexer.kind == "id" else None
        if handler is not None:
            handler()
            return word in _REPEATABLE
        self.instruction(None)
        return True

    # Declarations

    def _late_header(self) -> None:
        raise self.lexer.error("the version has to be the first statement of the source")

    def _include(self) -> None:
        lexer = self.lexer
        lexer.advance()
        lexer.include(self.libraries)
        lexer.end_statement()

    def _sized_name(self, what: str) -> tuple[str, int, int]:
        lexer = self.lexer
        lexer.advance()
        name, start = lexer.new_name(f"a {what} register")
        lexer.expect("[", f"and the size of register {shown(name)}")
        size = lexer.integer(f"the size of register {shown(name)}")
        lexer.expect("]", "after the size")
        lexer.end_statement()
        return name, size, start

    def _opaque(self) -> None:
        self.lexer.advance()
        name, *_ = self._gate_head()
        self.lexer.end_statement()
        self.program.gates.declare_opaque(name)

    def _gate_head(self) -> tuple[str, Mapping[str, int], Mapping[str, int]]:
        """Parse the name, the parameters and the qubits in the declaration of a gate."""
        lexer = self.lexer
        name, start = lexer.name("the name of a gate")
        lexer.check_new_name(name, "a gate", start)
        self.program.check_new_gate(name, start)
        parameters, qubits = lexer.gate_operands()
        return name, _places(parameters), _places(qubits)

    def _gate(self) -> None:
        lexer = self.lexer
        lexer.advance()
        name, parameters, qubits = self._gate_head()
        lexer.expect("{", f"to begin the definition of gate {shown(name)}")
        self._defining = name
        body: list[GateCall] = []
        while not lexer.accept("}"):
            if lexer.kind == "end":
                raise lexer.error(f"expected '}}' at the end of the definition of {shown(name)}")
            call = self.body_statement(name, parameters, qubits)
            if call is not None:
                body.append(call)
        self._defining = None
        self.program.gates.define(name, len(parameters), len(qubits), body)

    def body_statement(
        self, gate: str, parameters: Mapping[str, int], qubits: Mapping[str, int]
    ) -> GateCall | None:
        """Parse one statement in the body of `gate`; return None if it has no effect."""
        lexer = self.lexer
        start = lexer.start
        if lexer.accept("barrier"):
            arguments = self._body_qubits(qubits) if not lexer.at(";") else list(qubits.values())
            lexer.end_statement()
            return GateCall("barrier", tuple(dict.fromkeys(arguments)))
        if lexer.at("gphase") and not self.program.gates.is_declared("gphase"):
            self._global_phase(parameters, lambda: self._body_qubits(qubits))
            return None
        if lexer.kind != "id" or (lexer.text in self.statements and not lexer.at("gphase")):
            raise lexer.error(
                f"expected a gate or 'barrier' in the definition of {shown(gate)}, "
                f"got {lexer.described()}"
            )
        name, params = self.call_head(parameters)
        arguments = self._body_qubits(qubits)
        self.program.gates.check_call(name, len(params), len(arguments), start)
        self.program.gates.check_differ(name, arguments, start)
        lexer.end_statement()
        return GateCall(name, tuple(arguments), params)

    def _body_qubits(self, qubits: Mapping[str, int]) -> list[int]:
        lexer = self.lexer

        def read() -> int:
            name, start = lexer.name("a qubit")
            if name not in qubits:
                known = ", ".join([shown(qubit) for qubit in qubits][:_MAX_PRINTED_NAMES])
                raise lexer.error(
                    f"{shown(name)} is not a qubit of this gate; it has {known}", start
                )
            if lexer.at("["):
                raise lexer.error(f"{shown(name)} is one qubit here, it has no index")
            return qubits[name]

        return lexer.listed(read)

    def call_head(self, parameters: Mapping[str, int]) -> tuple[str, tuple[Expression, ...]]:
        """Parse a gate's name and angles; return the angles and the gate's name in the circuit."""
        lexer = self.lexer
        name, start = lexer.name("a statement")
        if name == self._defining:
            self.program.gates.refuse_recursion(name, start)
        if lexer.at("=") or lexer.at("["):
            hint = "to measure into bits, write 'measure q -> c;'"
            self.program.check_is_gate(name, start, hint)
        self.program.check_is_gate(name, start)
        name = self.program.gates.resolved(name, start)
        angles: list[Expression] = []
        if lexer.accept("(") and not lexer.accept(")"):
            angles = lexer.listed(lambda: parsed_angle(lexer, parameters))
            lexer.expect(")", "or ',' after the angle")
        return name, tuple(angles)

    # Instructions

    def _barrier(self) -> None:
        self.lexer.advance()
        operands = [] if self.lexer.at(";") else self.operands.qubits()
        start = operands[0].start if operands else self.lexer.start
        self.lexer.end_statement()
        self.program.barrier(operands, start)

    def instruction(self, condition: Condition | None) -> None:
        lexer, program = self.lexer, self.program
        start = lexer.start
        if lexer.accept("measure"):
            source = self.operands.qubit()
            lexer.expect("->", "and a classical bit after 'measure ...'")
            target = self.operands.clbit()
            lexer.end_statement()
            program.measure(source, target, start, condition)
        elif lexer.accept("reset"):
            target = self.operands.qubit()
            lexer.end_statement()
            program.reset(target, start, condition)
        elif program.gates.is_delay(lexer.text):
            self._delay(condition)
        else:
            name, angles = self.call_head({})
            operands = self.operands.qubits()
            params = tuple([float(angle[0]) for angle in angles])
            program.gates.check_call(name, len(params), len(operands), start)
            lexer.end_statement()
            program.gate(name, params, operands, start, condition)

    def _delay(self, condition: Condition | None) -> None:
        lexer = self.lexer
        start = lexer.start
        lexer.advance()
        lexer.expect("(", "and a duration after 'delay'")
        duration = parsed_constant(self.lexer) * DT_SECONDS
        lexer.expect(")", "after the duration")
        operands = self.operands.qubits()
        lexer.end_statement()
        self.program.delay(operands, duration, start, condition)

    def _gphase(self) -> None:
        if self.program.gates.is_declared("gphase"):
            self.instruction(None)
        else:
            self._global_phase({}, self.operands.qubits)

    def _global_phase(
        self, parameters: Mapping[str, int], read_qubits: Callable[[], object]
    ) -> None:
        """Parse a global phase, which has no effect on measurements; it may name qubits."""
        lexer = self.lexer
        lexer.advance()
        lexer.expect("(", "after 'gphase'")
        parsed_angle(lexer, parameters)
        lexer.expect(")", "after the angle")
        if not lexer.at(";"):
            read_qubits()
        lexer.end_statement()

    def _if(self) -> None:
        lexer = self.lexer
        lexer.advance()
        lexer.expect("(", "after 'if'")
        operand = self.operands.clbit()
        lexer.expect("==", "in the condition")
        condition = self._condition(operand)
        lexer.expect(")", "after the condition")
        if lexer.text in self.statements and lexer.text not in ("measure", "reset"):
            raise lexer.error(
                f"expected a gate, 'measure' or 'reset' after the condition, got '{lexer.text}'"
            )
        self.instruction(condition)

    def _condition(self, operand: Operand) -> Condition:
        """Parse the number that is compared with an operand."""
        # 2**size has size * log10(2) digits, rounded up. The operand never equals a longer number.
        value = self.lexer.whole_number("a value to compare with", operand.size * 31 // 100 + 2)
        never = 1 << operand.size
        value = never if value is None else min(value, never)
        return Condition(operand.offset, operand.size, value)


def _places(names: Iterable[str]) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(names)}
