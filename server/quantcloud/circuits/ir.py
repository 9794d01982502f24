"""The one form that a circuit takes inside the server, whatever text it came as."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Expression: TypeAlias = "tuple[float | int | str, ...]"
"""An angle in postfix notation, see `expressions.evaluate`: a `float` is a constant, an `int` the
index of a parameter of the enclosing gate definition, a `str` an operator or a function."""


class Register(NamedTuple):
    """A named run of bits: flat indices `offset` to `offset + size - 1`."""

    name: str
    offset: int
    size: int


class Condition(NamedTuple):
    """Run only if classical bits `offset .. offset + size - 1` equal `value`.

    Bit `offset` is the lowest of the value. A `value` of `2**size` or more never holds.
    """

    offset: int
    size: int
    value: int


class Operation(NamedTuple):
    """One instruction on flat bit indices.

    `name` is `measure`, `reset`, `barrier`, a key of the circuit's `definitions`, or else of
    `gates.STANDARD_GATES`. `params` are angles in radians. `clbits` is empty but for `measure`,
    where `qubits` and `clbits` have one element each. A `barrier` may span any number of qubits
    and has no condition. Operations are shared between places that say the same.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()
    clbits: tuple[int, ...] = ()
    condition: Condition | None = None


class GateCall(NamedTuple):
    """One instruction of a gate's definition: a gate, or `barrier`.

    `qubits` are positions among the qubits of the gate being defined.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class GateDefinition:
    """A gate that the source defines. Its body calls standard gates and earlier definitions only.

    `operation_count` is how many standard gates one call expands to, `two_qubit_gate_count` how
    many of those act on two or more qubits, `weight` what a call counts toward
    `limits.MAX_OPERATIONS`. All three stop just above that limit, so a definition that doubles
    itself forty times has them too; a circuit never calls such a one.
    """

    name: str
    num_params: int
    num_qubits: int
    body: tuple[GateCall, ...]
    operation_count: int
    two_qubit_gate_count: int
    weight: int


@dataclass(frozen=True, slots=True)
class Circuit:
    """A parsed circuit.

    Qubits and classical bits are numbered flat, in the order in which their registers were
    declared. `operations` are what the source says, one element per instruction after broadcast,
    with calls of user-defined gates left as calls; `expand.expanded` replaces those. A name in
    `definitions` takes precedence over a standard gate of the same name.
    """

    qubit_registers: tuple[Register, ...]
    clbit_registers: tuple[Register, ...]
    operations: tuple[Operation, ...]
    definitions: Mapping[str, GateDefinition] = field(default_factory=dict[str, GateDefinition])

    @property
    def num_qubits(self) -> int:
        return _end(self.qubit_registers)

    @property
    def num_clbits(self) -> int:
        return _end(self.clbit_registers)


def _end(registers: tuple[Register, ...]) -> int:
    """Return the number of bits in registers that follow each other."""
    return registers[-1].offset + registers[-1].size if registers else 0
