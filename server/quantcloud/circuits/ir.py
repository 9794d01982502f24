"""The one form that a circuit takes inside the server, whatever text it came as."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Register(NamedTuple):
    """A named run of bits: flat indices `offset` to `offset + size - 1`."""

    name: str
    offset: int
    size: int


class Condition(NamedTuple):
    """Run only if classical bits `offset .. offset + size - 1`, bit `offset` lowest, equal `value`."""

    offset: int
    size: int
    value: int


class Operation(NamedTuple):
    """One instruction on flat bit indices.

    `name` is `measure`, `reset`, `barrier`, a gate of `gates.STANDARD_GATES`, or a key of the
    circuit's `definitions`. `params` are angles in radians. `clbits` is empty but for `measure`,
    where `qubits` and `clbits` have one element each. A `barrier` may span any number of qubits.
    """

    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()
    clbits: tuple[int, ...] = ()
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """A parsed circuit.

    Qubits and classical bits are numbered flat, in the order in which their registers were
    declared. `operations` are what the source says, one element per instruction after broadcast,
    with calls of user-defined gates left as calls; `expand.expanded` replaces those.
    """

    qubit_registers: tuple[Register, ...]
    clbit_registers: tuple[Register, ...]
    operations: tuple[Operation, ...]
    definitions: Mapping[str, "GateDefinition"] = field(default_factory=dict[str, "GateDefinition"])

    @property
    def num_qubits(self) -> int:
        return sum(register.size for register in self.qubit_registers)

    @property
    def num_clbits(self) -> int:
        return sum(register.size for register in self.clbit_registers)
