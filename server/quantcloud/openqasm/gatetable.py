"""The gates that a source may call: standard gates and those that it defines."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, TypeAlias

from quantcloud.circuits.expand import standard_calls
from quantcloud.circuits.expressions import ExpressionError, is_constant
from quantcloud.circuits.gates import BUILTIN_GATES, STANDARD_GATES, StandardGate
from quantcloud.circuits.ir import GateCall, GateDefinition
from quantcloud.circuits.limits import MAX_OPERATIONS
from quantcloud.openqasm.hints import FOREIGN_GATE_NAMES, OPENQASM_3_WORDS, did_you_mean, quantity
from quantcloud.openqasm.lexer import Lexer, shown

_DELAY: Final = re.compile(r"delay(?:_\d++)?+", re.ASCII)


Gate: TypeAlias = StandardGate | GateDefinition


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
        self._used: dict[str, Gate] = {}
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

    def define(self, name: str, num_params: int, num_qubits: int, body: Sequence[GateCall]) -> None:
        """Define a gate whose name has passed `check_new`."""
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

    def use(self, name: str) -> Gate | None:
        """Return a gate and mark its name as used; None if it is not known."""
        gate = self._used.get(name) or self.definitions.get(name)
        if gate is None and name not in self._synonyms:
            gate = STANDARD_GATES.get(name)
        if gate is not None:
            self._used[name] = gate
        return gate

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

    def check_call(self, name: str, num_params: int, num_qubits: int | None, start: int) -> Gate:
        """Check the numbers of arguments of a call, if known; `name` must have been looked up."""
        gate = self._used[name]
        for wanted, got, noun in (
            (gate.num_params, num_params, "parameter"),
            (gate.num_qubits, num_qubits, "qubit"),
        ):
            if got not in (wanted, None):
                takes = quantity(wanted, noun)
                raise self._lexer.error(f"gate {shown(name)} takes {takes}, got {got}", start)
        return gate

    def check_differ(self, name: str, qubits: Sequence[int], start: int) -> None:
        """Check that a call in a definition acts on different qubits."""
        if len(set(qubits)) < len(qubits):
            raise self._lexer.error(f"gate '{name}' would act on the same qubit twice", start)

    def instantiate(self, name: str, params: tuple[float, ...], start: int) -> None:
        """Compute every angle in the expansion of a call, so that errors are found here."""
        try:
            for _ in standard_calls(self.definitions, name, params, self._instantiated):
                pass
        except ExpressionError as error:
            raise self._lexer.error(f"in a call of gate {shown(name)}: {error}", start) from None
