"""Parses the part of OpenQASM 3 that OpenQASM 2 can express."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Final

from quantcloud.circuits.ir import Circuit, Condition, Expression, GateCall
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm.builder import Operand
from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.modifiers import controlled, inverse
from quantcloud.openqasm.operands import PHYSICAL
from quantcloud.openqasm.parser import Parser

_TYPES: Final = words(
    "const int uint float angle bool complex array duration stretch input output extern"
)
_REFUSED: Final[Mapping[str, str]] = {
    **{word: f"'{word}' declarations" for word in _TYPES},
    "let": "aliases ('let')",
    "for": "'for' loops",
    "while": "'while' loops",
    "switch": "'switch' statements",
    "break": "loops",
    "continue": "loops",
    "end": "'end' statements",
    "def": "subroutines ('def')",
    "return": "subroutines ('return')",
    "cal": "pulse-level blocks ('cal')",
    "defcal": "pulse-level definitions ('defcal')",
    "defcalgrammar": "pulse-level definitions ('defcalgrammar')",
    "box": "'box' blocks",
    "delay": "timing instructions ('delay')",
    "nop": "'nop' instructions",
    "pragma": "pragmas",
    "else": "'else' branches without an 'if'",
}
_MODIFIERS: Final = frozenset({"ctrl", "negctrl", "inv", "pow"})
_MOST_MODIFIERS: Final = 8


class Parser3(Parser):
    """Parses a whole source of version 3.0 or 3.1."""

    version = 3
    libraries = ("stdgates.inc", "qelib1.inc")
    reserved = (
        Parser.reserved
        | _REFUSED.keys()
        | _MODIFIERS
        | {"qubit", "bit", "gphase", "true", "false", "tau", "euler", "arcsin", "arccos", "arctan"}
    )
    synonyms = {"phase": "p", "cphase": "cp"}  # noqa: RUF012 - it overrides a Mapping
    # An 'else' may follow an 'if'.
    repeatable = Parser.repeatable - {"if"}

    @cached_property
    def statements(self) -> Mapping[str, Callable[[], None]]:
        return {
            **super().statements,
            **dict.fromkeys(_REFUSED, self._refused),
            "qubit": self._qubit,
            "bit": self._bit,
        }

    def parse(self) -> Circuit:
        if PHYSICAL in self.lexer.source:
            self._declare_physical()
        return super().parse()

    def _declare_physical(self) -> None:
        """Declare the physical qubits `$0`, `$1`, ... up to the highest in the source."""
        lexer = self.lexer
        highest, start = -1, 0
        lexer.seek(0)
        while lexer.kind != "end":
            if lexer.kind == "physical":
                # Twelve digits are enough to exceed any limit.
                index = int(lexer.text[1:].lstrip("0")[:12] or "0")
                if index > highest:
                    highest, start = index, lexer.start
            lexer.advance()
        if highest >= 0:
            self.program.declare_qubits(PHYSICAL, highest + 1, start)

    def beyond(self, what: str, start: int | None = None) -> CircuitError:
        """Make the error for a construct that OpenQASM 2 cannot express."""
        return self.lexer.error(
            f"OpenQASM 3 {what} are not supported; use only what OpenQASM 2 also has: registers, "
            "gates, measure, reset, barrier, and 'if' on classical bits",
            start,
        )

    def _refused(self) -> None:
        raise self.beyond(_REFUSED[self.lexer.text])

    def statement(self) -> None:
        lexer = self.lexer
        if lexer.at("@"):
            raise self.beyond("annotations")
        if lexer.kind == "bad" and lexer.text == "#":
            raise self.beyond("pragmas")
        if lexer.at("{"):
            raise self.beyond("free-standing blocks")
        super().statement()

    # Declarations

    def _declaration(self, what: str) -> tuple[str, int, int]:
        lexer = self.lexer
        lexer.advance()
        size = 1
        if lexer.accept("["):
            size = lexer.integer("the size of the register")
            lexer.expect("]", "after the size")
        name, start = self.declared_name(what)
        return name, size, start

    def _qubit(self) -> None:
        name, size, start = self._declaration("a quantum register")
        if PHYSICAL in self.program.qubits:
            raise self.beyond("physical qubits ($0) together with declared qubits", start)
        self.lexer.end_statement()
        self.program.declare_qubits(name, size, start)

    def _bit(self) -> None:
        lexer = self.lexer
        name, size, start = self._declaration("a classical register")
        if not lexer.accept("="):
            lexer.end_statement()
            self.program.declare_clbits(name, size, start)
            return
        target = self.program.declare_clbits(name, size, start)
        self._measured_into(target, start, None)

    # Gates

    def body_statement(
        self, gate: str, parameters: Mapping[str, int], qubits: Mapping[str, int]
    ) -> GateCall | None:
        if self.lexer.text in _REFUSED:
            self._refused()
        return super().body_statement(gate, parameters, qubits)

    def call_head(self, parameters: Mapping[str, int]) -> tuple[str, tuple[Expression, ...]]:
        lexer = self.lexer
        modifiers: list[tuple[str, int]] = []
        while lexer.kind == "id" and lexer.text in _MODIFIERS:
            start, word = lexer.start, lexer.text
            lexer.advance()
            times = 1
            if word in ("pow", "negctrl"):
                raise self.beyond(f"modifiers '{word} @'", start)
            if word == "ctrl" and lexer.accept("("):
                times = min(lexer.integer("a number of controls"), _MOST_MODIFIERS)
                lexer.expect(")", "after the number of controls")
            lexer.expect("@", f"after '{word}'")
            modifiers += [(word, start)] * times
            if len(modifiers) > _MOST_MODIFIERS:
                raise self.beyond(f"gates with more than {_MOST_MODIFIERS} modifiers", start)
        if modifiers and lexer.at("gphase"):
            raise self.beyond("controlled global phases ('ctrl @ gphase')", modifiers[0][1])
        name, angles = super().call_head(parameters)
        for word, start in reversed(modifiers):
            modify = inverse if word == "inv" else controlled
            modified = None if name in self.program.gates.definitions else modify(name, angles)
            if modified is None or modified[0] in self.program.gates.definitions:
                raise self.beyond(f"modifiers '{word} @' on gate {shown(name)}", start)
            name, angles = self.program.gates.resolved(modified[0], start), modified[1]
        return name, angles

    # Instructions

    def instruction(self, condition: Condition | None) -> None:
        lexer = self.lexer
        if lexer.text in self.program.clbits and lexer.kind == "id":
            start = lexer.start
            target = self.operands.clbit()
            lexer.expect("=", "and 'measure' after a classical bit")
            self._measured_into(target, start, condition)
            return
        super().instruction(condition)

    def _measured_into(self, target: Operand, start: int, condition: Condition | None) -> None:
        """Parse `measure ...` after `=`."""
        lexer = self.lexer
        if not lexer.accept("measure"):
            raise self.beyond("assignments other than of 'measure'")
        source = self.operands.qubit()
        lexer.end_statement()
        self.program.measure(source, target, start, condition)

    # Conditions

    def _if(self) -> None:
        lexer = self.lexer
        lexer.advance()
        lexer.expect("(", "after 'if'")
        condition = self._condition()
        if lexer.kind == "op" and not lexer.at(")"):
            raise self.beyond("conditions of more than one comparison")
        lexer.expect(")", "after the condition")
        first = len(self.program.operations)
        self._branch(condition, first)
        if lexer.at("else"):
            if condition.size != 1:
                raise self.beyond("'else' branches of a condition on a whole register")
            start = lexer.start
            lexer.advance()
            self._check_unwritten(condition, first, start)
            self._branch(condition._replace(value=1 - condition.value), first)

    def _condition(self) -> Condition:
        lexer = self.lexer
        negated = lexer.accept("!")
        start = lexer.start
        operand = self.operands.clbit()
        single = operand.size == 1
        if lexer.at("==") or lexer.at("!="):
            negated ^= lexer.at("!=")
            lexer.advance()
            if single and lexer.text in ("true", "false") and lexer.kind == "id":
                value = int(lexer.text == "true")
                lexer.advance()
                condition = Condition(operand.offset, 1, value)
            else:
                condition = self.condition(operand)
        elif single:
            condition = Condition(operand.offset, 1, 1)
        else:
            raise self.beyond("conditions on a whole register without '=='", start)
        if negated:
            if not single or condition.value > 1:
                raise self.beyond("negated comparisons of a whole register", start)
            condition = condition._replace(value=1 - condition.value)
        return condition

    def _branch(self, condition: Condition, first: int) -> None:
        """Parse a statement or a block under a condition."""
        lexer = self.lexer
        if not lexer.accept("{"):
            self._conditional(condition)
            return
        while not lexer.accept("}"):
            if lexer.kind == "end":
                raise lexer.error("expected '}' at the end of this block")
            self._check_unwritten(condition, first, lexer.start)
            first = len(self.program.operations)
            self._conditional(condition)

    def _conditional(self, condition: Condition) -> None:
        lexer = self.lexer
        word = lexer.text
        if word in ("barrier", "gphase") or word in _REFUSED:
            self.statements[word]()
        elif word == "if":
            raise self.beyond("conditions inside of conditions")
        elif word in self.statements and word not in ("measure", "reset"):
            raise lexer.error(f"'{word}' cannot stand under a condition")
        else:
            self.instruction(condition)

    def _check_unwritten(self, condition: Condition, first: int, start: int) -> None:
        """Raise an error if an operation from `first` on measures into the bits of `condition`.

        Each operation has its own copy of the condition, so later ones would read the new value.
        """
        bits = range(condition.offset, condition.offset + condition.size)
        for operation in self.program.operations[first:]:
            if operation.clbits and operation.clbits[0] in bits:
                raise self.beyond("blocks that go on after measuring into their condition", start)
