"""The intermediate representation of circuits, which is the same for all source languages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from quantcloud.domain.sweep import Input

Expression: TypeAlias = "tuple[float | int | str, ...]"
"""An angle in postfix notation; see `expressions.evaluate`. A `float` is a constant, an `int` the
index of a parameter of the enclosing gate definition, and a `str` an operator or a function."""


class Register(NamedTuple):
    """A named range of bits: flat indices `offset` to `offset + size - 1`."""

    name: str
    offset: int
    size: int


class Condition(NamedTuple):
    """A condition: classical bits `offset` to `offset + size - 1` equal `value`.

    Bit `offset` is the lowest of the value. A `value` of `2**size` or more never holds.
    """

    offset: int
    size: int
    value: int


class Operation(NamedTuple):
    """One instruction on flat bit indices.

    `name` is `measure`, `reset`, `barrier`, `delay`, one of `CONTROL`, a key of the circuit's
    `definitions`, or else a key of `gates.STANDARD_GATES`. `params` are angles in radians; those
    that depend on inputs are an `angles.Angle`. `clbits` is empty except for `measure`, which has
    one qubit and one classical bit. A `barrier` may span any number of qubits and has no condition.
    A `delay` keeps one qubit idle for `params[0]` seconds. Equal statements share one operation.

    The operations in `CONTROL` act on no qubit. `assign` computes a value: `params[0]` is the index
    of its `Assignment` in the circuit. The operations between a `while` and its `end` are repeated
    as long as the condition of the `while` holds; it is tested before each round.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()
    clbits: tuple[int, ...] = ()
    condition: Condition | None = None


CONTROL: Final = frozenset({"assign", "while", "end"})


class Bits(NamedTuple):
    """The integer in classical bits `offset` to `offset + size - 1`, bit `offset` lowest.

    A `signed` integer is in two's complement.
    """

    offset: int
    size: int
    signed: bool = False


class Apply(NamedTuple):
    """An operator on the latest operands; its result wraps to an integer of `size` bits."""

    symbol: str
    size: int
    signed: bool = False


Formula: TypeAlias = tuple[int | Bits | Apply, ...]
"""A classical expression in postfix notation; see `classical.evaluate`."""


class Assignment(NamedTuple):
    """Classical bits `offset` to `offset + size - 1` become the lowest bits of the formula."""

    offset: int
    size: int
    formula: Formula


class GateCall(NamedTuple):
    """One instruction in the body of a gate definition: a gate or `barrier`.

    `qubits` are positions among the qubits of the gate being defined.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class GateDefinition:
    """A gate that the source defines. Its body calls only standard gates and earlier definitions.

    `operation_count` is the number of standard gates that one call expands to, and
    `two_qubit_gate_count` how many of those act on two or more qubits. `weight` is what a call
    counts toward `limits.MAX_OPERATIONS`. All three stop just above that limit, since definitions
    may double forty times; no circuit calls such a definition.
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

    Qubits and classical bits have flat indices, in the order of their registers' declarations.
    `operations` has one element per instruction after broadcast. Calls of user-defined gates stay
    calls; `expand.expanded` replaces them. A name in `definitions` takes precedence over a standard
    gate of the same name.

    If `operations` includes one of `CONTROL`, the circuit needs a backend that computes between
    measurements. Then classical bits beyond the registers, `scratch_bits` of them, hold its
    variables; they start at 0 and are no part of the result.

    A circuit with `inputs` runs after `binding.bound` has given them values.
    """

    qubit_registers: tuple[Register, ...]
    clbit_registers: tuple[Register, ...]
    operations: tuple[Operation, ...]
    definitions: Mapping[str, GateDefinition] = field(default_factory=dict[str, GateDefinition])
    assignments: tuple[Assignment, ...] = ()
    scratch_bits: int = 0
    inputs: tuple[Input, ...] = ()

    @property
    def has_control(self) -> bool:
        """Whether the circuit has variables or loops that exist during a run."""
        return bool(self.assignments or self.scratch_bits)

    @property
    def num_qubits(self) -> int:
        return _end(self.qubit_registers)

    @property
    def num_clbits(self) -> int:
        return _end(self.clbit_registers)


def _end(registers: tuple[Register, ...]) -> int:
    """Return the number of bits in adjacent registers."""
    return registers[-1].offset + registers[-1].size if registers else 0
