"""Parses simple statements with one regular expression each, without tokens.

Long circuits consist of few kinds of statements. A statement with the same text as an earlier one
has the same meaning, because no declaration can change it. And a gate on single bits needs no
grammar. Shortcuts make the same checks as the token parser. They leave to it all statements that
are unusual or wrong.
"""

import re
from collections.abc import Collection
from typing import Final, TypeVar

from quantcloud.circuits.angles import Angle
from quantcloud.circuits.ir import GateDefinition, Operation, Register
from quantcloud.circuits.limits import MAX_OPERATIONS, MAX_REMEMBERED
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm.builder import PHYSICAL, CircuitBuilder, Operand
from quantcloud.openqasm.expressions import parsed_constant
from quantcloud.openqasm.gatetable import Gate
from quantcloud.openqasm.lexer import Lexer

# A statement up to its semicolon, and the space after it. The real end may be elsewhere: the
# semicolon may be in a comment.
_STATEMENT: Final = re.compile(
    r"[ \t\r\n]*+([A-Za-z_][\w \t()\[\].,+\-*/^=>$]*+);[ \t\r\n]*+", re.ASCII
)
# A gate on single bits; angles with parentheses are left to the token parser.
_GATE: Final = re.compile(
    r"([A-Za-z_]\w*+)[ \t]*+(?:\(([^()\n\r;]*+)\)[ \t]*+)?+(?<=[ \t)])"
    r"([A-Za-z_]\w*+\[\d{1,6}\](?:[ \t]*+,[ \t]*+[A-Za-z_]\w*+\[\d{1,6}\])*+)[ \t]*+;",
    re.ASCII,
)
# The declaration of a register, or the measurement of a bit or of a whole register: in both
# versions, and as only version 3 has it.
_PLAIN: Final = re.compile(
    r"(?:(?P<kind>[qc]reg)[ \t]++(?P<name>[A-Za-z_]\w*+)[ \t]*+\[(?P<size>\d{1,6})\]"
    r"|measure[ \t]++(?P<qubits>[A-Za-z_]\w*+)(?:\[(?P<qubit>\d{1,6})\])?+[ \t]*+->"
    r"[ \t]*+(?P<clbits>[A-Za-z_]\w*+)(?:\[(?P<clbit>\d{1,6})\])?+)[ \t]*+;",
    re.ASCII,
)
_PLAIN_3: Final = re.compile(
    r"(?:(?P<kind>qubit|bit)[ \t]*+\[(?P<size>\d{1,6})\][ \t]*+(?P<name>[A-Za-z_]\w*+)"
    r"|(?P<clbits>[A-Za-z_]\w*+)(?:\[(?P<clbit>\d{1,6})\])?+[ \t]*+=[ \t]*+"
    r"measure[ \t]++(?P<qubits>[A-Za-z_]\w*+)(?:\[(?P<qubit>\d{1,6})\])?+)[ \t]*+;",
    re.ASCII,
)
_PARTS: Final = ("kind", "name", "size", "qubits", "qubit", "clbits", "clbit")
_PLAIN_WORDS: Final = ("qreg", "creg", "measure")
_PLAIN_WORDS_3: Final = ("qubit", "bit")
# The header of nearly all sources.
_VERSION: Final = re.compile(r"\s*+OPENQASM\s++(\d++(?:\.\d*+)?+)\s*+;", re.ASCII)
_INCLUDE: Final = re.compile(r"\s*+include\s*+\"([\w.]*+)\"\s*+;", re.ASCII)
_BIT: Final = re.compile(r"(\w+)\[(\d+)\]", re.ASCII)
_INPUT: Final = re.compile(r"[ \t]*+([A-Za-z_]\w*+)(?:\[(\d{1,6})\])?+[ \t]*+", re.ASCII)
_NUMBER: Final = re.compile(r"-?(?:\d+\.\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
_LONGEST_NUMBER: Final = 64

_Value = TypeVar("_Value")


def version(source: str) -> tuple[str | None, int]:
    """Return the version in a plain header, and the offset after it; (None, 0) without one."""
    match = _VERSION.match(source)
    return (None, 0) if match is None else (match[1], match.end())


class Shortcuts:
    """Adds the simple statements of one source to its circuit."""

    def __init__(self, lexer: Lexer, program: CircuitBuilder, *, is_version_3: bool) -> None:
        self._is_version_3 = is_version_3
        self._lexer = lexer
        self._program = program
        # The operations of each statement, and their weight toward the limit.
        self._read_before: dict[str, tuple[tuple[Operation, ...], int]] = {}
        self._remembered = 0
        self._gates: dict[str, Gate] = {}
        self._angles: dict[str, tuple[float, ...]] = {}
        self._qubits: dict[str, tuple[int, ...]] = {}

    def head(self, libraries: Collection[str]) -> int:
        """Return the offset of the first statement after the version and a plain include."""
        _, offset = version(self._lexer.source)
        match = _INCLUDE.match(self._lexer.source, offset)
        return match.end() if match is not None and match[1] in libraries else offset

    def take(self, offset: int) -> int:
        """Parse statements from `offset` on; return the offset of the first that has no shortcut.

        Raises `CircuitError` if a statement makes the circuit too large.
        """
        program = self._program
        source, operations = self._lexer.source, program.operations
        statement, read_before = _STATEMENT.match, self._read_before
        if program.shadows:
            self._forget()
        while (match := statement(source, offset)) is not None:
            known = read_before.get(match[1])
            if known is not None:
                made, weight = known
                program.weight += weight
                if program.weight > MAX_OPERATIONS:
                    program.charge(0, match.start(1))
                operations += made
            elif not (
                (match[1].startswith(_PLAIN_WORDS) and self._plain(_PLAIN, match.start(1)))
                or self._gate(match.start(1))
                or (
                    self._is_version_3
                    and (match[1].startswith(_PLAIN_WORDS_3) or "=" in match[1])
                    and self._plain(_PLAIN_3, match.start(1))
                )
            ):
                break
            offset = match.end()
        return offset

    def remember(self, start: int, first: int, weight: int) -> None:
        """Remember the statement before the lexer's cursor.

        It began at `start` and made the operations from index `first` on, which have `weight`.
        """
        match = _STATEMENT.match(self._lexer.source, start)
        if match is None or match.end(1) + 1 != self._lexer.previous_end:
            return
        # A barrier on all qubits: more qubits may be declared before the next one.
        if match[1].rstrip() != "barrier":
            self._keep(match[1], first, weight)

    def _forget(self) -> None:
        """Forget earlier statements, because some are no longer valid."""
        self._read_before.clear()
        self._gates.clear()
        self._program.shadows = False

    def _keep(self, text: str, first: int, weight: int) -> None:
        made = self._program.operations[first:]
        self._remembered += len(made)
        if made and self._remembered <= MAX_REMEMBERED:
            self._read_before[text] = tuple(made), weight

    def _gate(self, start: int) -> bool:
        """Parse the gate at `start`; return False if it has no shortcut."""
        program = self._program
        match = _GATE.match(self._lexer.source, start)
        if match is None:
            return False
        name, angles, bits = match.groups("")
        gate = self._gates.get(name)
        if gate is None:
            gate = program.gates.use(name)
            if gate is None or name in program.qubits or name in program.clbits:
                return False
            self._gates[name] = gate
        qubits = self._qubits.get(bits)
        if qubits is None:
            qubits = self._bits(bits)
        params = self._angles.get(angles) if angles else ()
        if params is None:
            params = self._values(angles, match.start(2))
        if (
            params is None
            or qubits is None
            or len(params) != gate.num_params
            or len(qubits) != gate.num_qubits
        ):
            return False
        weight = gate.weight
        program.charge(weight, start)
        if isinstance(gate, GateDefinition):
            program.gates.instantiate(name, params, start)
        operation = Operation(gate.name, qubits, params)
        program.operations.append(operation)
        if self._remembered < MAX_REMEMBERED:
            self._remembered += 1
            self._read_before[match[0][:-1]] = (operation,), weight
        return True

    def _plain(self, pattern: re.Pattern[str], start: int) -> bool:
        """Parse the declaration or measurement at `start`; return False if it has no shortcut."""
        program = self._program
        match = pattern.match(self._lexer.source, start)
        if match is None:
            return False
        kind, name, size, qubits, qubit, clbits, clbit = match.group(*_PARTS)
        # The token parser finds an error again: it may not be the first.
        try:
            if kind is not None:
                if name in self._lexer.reserved or (kind[0] == "q" and PHYSICAL in program.qubits):
                    return False
                declare = program.declare_qubits if kind[0] == "q" else program.declare_clbits
                declare(name, int(size), match.start("name"))
                if program.shadows:
                    self._forget()
                return True
            source = _operand(program.qubits.get(qubits), qubit, match.start("qubits"))
            target = _operand(program.clbits.get(clbits), clbit, match.start("clbits"))
            if source is None or target is None or (qubit and qubits in program.scalars):
                return False
            first, weight = len(program.operations), program.weight
            program.measure(source, target, start, None)
        except CircuitError:
            return False
        self._keep(match[0][:-1], first, program.weight - weight)
        return True

    def _values(self, text: str, start: int) -> tuple[float, ...] | None:
        """Compute the angles of `text` at offset `start`; return None if it has no shortcut."""
        values: list[float] = []
        for part in text.split(","):
            end = start + len(part)
            if len(part) < _LONGEST_NUMBER and _NUMBER.fullmatch(part):
                values.append(float(part))
            elif (known := self._angles.get(part)) is not None:
                values += known
            elif (value := self._input(part)) is not None:
                values += self._cached(self._angles, part, (value,))
            elif self._is_version_3 and "^" in part:
                # It is no power there. Other arithmetic is the same in both versions.
                return None
            else:
                try:
                    self._lexer.seek(start)
                    value = parsed_constant(self._lexer)
                except CircuitError:
                    # The token parser finds the error again: it may not be the first.
                    return None
                # The comma or parenthesis that the regular expression matched may be in a comment.
                if self._lexer.start != end:
                    return None
                values += self._cached(self._angles, part, (value,))
            start = end + 1
        return self._cached(self._angles, text, tuple(values))

    def _input(self, text: str) -> Angle | None:
        """Return a value of an input that is a whole angle, or None."""
        match = _INPUT.fullmatch(text)
        if match is None:
            return None
        return self._program.input_value(match[1], None if match[2] is None else int(match[2]))

    def _bits(self, text: str) -> tuple[int, ...] | None:
        """Return the qubits of `text`, or None if they are wrong."""
        registers, scalars = self._program.qubits, self._program.scalars
        qubits: list[int] = []
        for name, digits in _BIT.findall(text):
            register = registers.get(name)
            index = int(digits)
            if register is None or index >= register.size or name in scalars:
                return None
            qubits.append(register.offset + index)
        if len(set(qubits)) < len(qubits):
            return None
        return self._cached(self._qubits, text, tuple(qubits))

    @staticmethod
    def _cached(cache: dict[str, _Value], key: str, value: _Value) -> _Value:
        if len(cache) < MAX_REMEMBERED:
            cache[key] = value
        return value


def _operand(register: Register | None, index: str | None, start: int) -> Operand | None:
    """Return a register or a bit of it, or None if it does not exist."""
    if register is None:
        return None
    if index is None:
        return Operand(register.offset, register.size, whole=True, start=start)
    bit = int(index)
    if bit >= register.size:
        return None
    return Operand(register.offset + bit, 1, whole=False, start=start)
