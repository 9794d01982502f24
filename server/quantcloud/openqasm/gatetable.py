"""The gates that a source may call: standard gates and those that it defines."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, NoReturn

from quantcloud.circuits.expand import standard_calls
from quantcloud.circuits.expressions import ExpressionError, is_constant
from quantcloud.circuits.gates import BUILTIN_GATES, STANDARD_GATES
from quantcloud.circuits.ir import GateCall, GateDefinition
from quantcloud.circuits.limits import MAX_OPERATIONS
from quantcloud.openqasm.hints import FOREIGN_GATE_NAMES, OPENQASM_3_WORDS, did_you_mean, quantity
from quantcloud.openqasm.lexer import Lexer, shown

_DELAY: Final = re.compile(r"delay(?:_\d++)?+", re.ASCII)


class Signature(NamedTuple):
    """A gate: its operands, its definition in the source if any, and the weight of a call."""

    name: str
    num_params: int
    num_qubits: int
    definition: GateDefinition | None
    weight: int


class GateTable:
    """Gates by name. Methods with a parameter `start` raise `CircuitError` at that offset.

    The standard gates are known without an include. A definition in the source takes precedence
    over a standard gate, because some exporters write definitions in addition to the include. But
    it must come before the first use of the name.
    """

    def __init__(self, lexer: Lexer, synonyms: Mapping[str, str]) -> None:
        """`synonyms` maps further names to standard gates."""
        self._lexer = lexer
        self._synonyms = synonyms
        self._opaque: set[str] = set()
        self._used: dict[str, Signature] = {}
        self._used_synonyms: set[str] = set()
        self._instantiated: set[tuple[str, tuple[float, ...]]] = set()
        self.definitions: dict[str, GateDefinition] = {}

    # Declarations

    def is_declared(self, name: str) -> bool:
        """Return whether the source has declared a gate of that name."""
        return name in self.definitions or name in self._opaque

    def check_new(self, name: str, start: int) -> None:
        """Check that the source may still define a gate of that name, which is not declared."""
        if name in BUILTIN_GATES:
            raise self._lexer.error(f"'{name}' is built into the language", start)
        if name in self._used or name in self._used_synonyms:
            raise self._lexer.error(
                f"{shown(name)} was used above as the standard gate of that name; a definition "
                "has to come before the first use",
                start,
            )

    def is_delay(self, name: str) -> bool:
        """Return whether the source has declared an opaque gate as Qiskit's exporter does a delay.

        A further delay has a number at the end of its name.
        """
        return name in self._opaque and _DELAY.fullmatch(name) is not None

    def declare_opaque(self, name: str) -> None:
        """Declare a gate without a definition; the name of a standard gate is ignored."""
        if name not in STANDARD_GATES:
            self._opaque.add(name)

    def define(
        self, name: str, num_params: int, num_qubits: int, body: Sequence[GateCall], start: int
    ) -> None:
        """Define a gate whose name has passed `check_new`."""
        if any(call.name == name for call in body):
            # A modifier can lead to the gate itself: a controlled swap is a cswap. As in
            # stdgates.inc, the body may hold only that call. Then it is the standard gate.
            params = tuple([(place,) for place in range(num_params)])
            only = body[0]
            if list(body) != [GateCall(name, tuple(range(num_qubits)), params)] or any(
                map(is_constant, only.params)
            ):
                self.refuse_recursion(name, start)
            return
        operations = two_qubit = weight = 0
        for call in body:
            # An angle that must be computed at each call costs more than a constant.
            symbols = sum([len(angle) for angle in call.params if not is_constant(angle)])
            weight += 1 + (1 + symbols // 4 if symbols else 0)
            definition = self.definitions.get(call.name)
            if call.name == "barrier":
                weight += len(call.qubits)
            elif definition is None:
                operations += 1
                two_qubit += len(call.qubits) > 1
            else:
                operations += definition.operation_count
                two_qubit += definition.two_qubit_gate_count
                weight += definition.weight + len(call.qubits)
        most = MAX_OPERATIONS + 1
        self.definitions[name] = GateDefinition(
            name,
            num_params,
            num_qubits,
            tuple(body),
            min(operations, most),
            min(two_qubit, most),
            min(max(weight, 1), most),
        )

    def refuse_recursion(self, name: str, start: int) -> NoReturn:
        raise self._lexer.error(
            f"gate {shown(name)} calls itself; only gates above it may be called", start
        )

    # Uses

    def is_known(self, name: str) -> bool:
        """Return whether a gate of that name can be called."""
        return name in self.definitions or name in STANDARD_GATES

    def resolved(self, name: str, start: int) -> str:
        """Look up a gate that is called; return its name in the circuit."""
        if self.use(name) is None:
            if name not in self._synonyms:
                self._unknown(name, start)
            self._used_synonyms.add(name)
            return self.resolved(self._synonyms[name], start)
        return name

    def use(self, name: str) -> Signature | None:
        """Return the signature of a gate and mark its name as used; None if it is not known."""
        signature = self._used.get(name)
        if signature is not None:
            return signature
        definition = self.definitions.get(name)
        if definition is not None:
            signature = Signature(
                name, definition.num_params, definition.num_qubits, definition, definition.weight
            )
        elif name in self._synonyms or name not in STANDARD_GATES:
            return None
        else:
            gate = STANDARD_GATES[name]
            # Interned names make later lookups faster.
            signature = Signature(sys.intern(name), gate.num_params, gate.num_qubits, None, 1)
        self._used[name] = signature
        return signature

    def signature(self, name: str) -> Signature:
        """Return the signature of a gate that was looked up before."""
        return self._used[name]

    def _unknown(self, name: str, start: int) -> NoReturn:
        if name in self._opaque:
            raise self._lexer.error(
                f"gate {shown(name)} is declared opaque: it has no definition, so it cannot be run",
                start,
            )
        foreign = FOREIGN_GATE_NAMES.get(name.lower())
        known = [foreign] if foreign else [*STANDARD_GATES, *self.definitions]
        hint = did_you_mean(foreign or name, known)
        if name in OPENQASM_3_WORDS:
            hint = "; it is a word of OpenQASM 3, whose sources begin with 'OPENQASM 3.0;'"
        raise self._lexer.error(f"gate {shown(name)} is not defined{hint}", start)

    def is_used(self, name: str) -> bool:
        return name in self._used

    def check_call(self, name: str, num_params: int, num_qubits: int, start: int) -> Signature:
        """Check the numbers of arguments of a call; `name` must have been looked up."""
        signature = self._used[name]
        if num_params != signature.num_params:
            takes = quantity(signature.num_params, "parameter")
            raise self._lexer.error(f"gate {shown(name)} takes {takes}, got {num_params}", start)
        if num_qubits != signature.num_qubits:
            takes = quantity(signature.num_qubits, "qubit")
            raise self._lexer.error(f"gate {shown(name)} takes {takes}, got {num_qubits}", start)
        return signature

    def instantiate(self, name: str, params: tuple[float, ...], start: int) -> None:
        """Compute every angle in the expansion of a call, so that errors are found here."""
        try:
            for _ in standard_calls(self.definitions, name, params, self._instantiated):
                pass
        except ExpressionError as error:
            raise self._lexer.error(f"in a call of gate {shown(name)}: {error}", start) from None
