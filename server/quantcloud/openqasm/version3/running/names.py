"""The names of a program of OpenQASM 3, by scope."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from quantcloud.circuits.ir import Bits, Formula, Register
from quantcloud.openqasm.builder import PHYSICAL, CircuitBuilder
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.arithmetic.values import (
    Array,
    Classical,
    Qubits,
    Runtime,
    Type,
)
from quantcloud.openqasm.version3.reading.syntax import Subroutine
from quantcloud.openqasm.version3.reading.words import refusal

_MOST_SCOPES: Final = 120


@dataclass(slots=True)
class Variable:
    """A variable or constant.

    `cell` is the first bit where it is kept during a run, if it has one. A variable is `pinned`
    while a loop of the run may change it: then its value has to stay in its cell. `is_output` says
    that it is a register of the circuit, whose value is always in its cell. An input is no constant
    but never changes.
    """

    type: Type
    value: Classical
    cell: int | None = None
    is_constant: bool = False
    is_output: bool = False
    is_input: bool = False
    pinned: int = 0

    def read(self) -> Formula:
        """Return the formula that reads the cell."""
        assert self.cell is not None  # noqa: S101 - the caller has made one
        return (Bits(self.cell, self.type.bits, self.type.is_signed),)

    @property
    def is_kept(self) -> bool:
        """Whether the value is in the cell."""
        return isinstance(self.value, Runtime)


def output(type_: Type, offset: int) -> Variable:
    """Return the variable of bits of a register of the circuit."""
    value = Runtime(type_, (Bits(offset, type_.bits, type_.is_signed),))
    return Variable(type_, value, offset, is_output=True)


Entry: TypeAlias = Variable | Qubits | Array


class Names:
    """Looks names up, from the innermost scope to the outermost.

    In a subroutine or in a gate, only constants of the program are visible. Registers are global;
    the circuit's builder has them.
    """

    def __init__(self, lexer: Lexer, builder: CircuitBuilder) -> None:
        self._lexer = lexer
        self._builder = builder
        self._scopes: list[dict[str, Entry]] = [{}]
        # Where the scopes of the present subroutine begin.
        self._bases: list[int] = [0]
        self._outputs: dict[str, Variable] = {}
        self.subroutines: dict[str, Subroutine] = {}
        self.has_variables = False

    @property
    def is_global(self) -> bool:
        """Whether the present scope is that of the program."""
        return len(self._scopes) == 1

    @property
    def inside(self) -> bool:
        """Whether the present scope is in a subroutine or a gate."""
        return len(self._bases) > 1

    @contextmanager
    def scope(self, start: int, *, function: bool = False) -> Generator[None]:
        """Make a scope; with `function`, that of a subroutine or a gate."""
        if len(self._scopes) >= _MOST_SCOPES:
            raise refusal(
                self._lexer, f"blocks and calls more than {_MOST_SCOPES} deep", "use fewer", start
            )
        if function:
            self._bases.append(len(self._scopes))
        self._scopes.append({})
        try:
            yield
        finally:
            self._scopes.pop()
            if function:
                self._bases.pop()

    def check_new(self, name: str, start: int) -> None:
        """Check that the present scope has no such name. Raises `CircuitError` at `start`."""
        if self.is_global:
            self._builder.check_new(name, start)
        elif name in self._scopes[-1]:
            raise self._lexer.error(f"{shown(name)} is already declared in this block", start)

    def declare(self, name: str, entry: Entry, start: int) -> None:
        """Declare a name in the present scope. Raises `CircuitError` if it has it already."""
        self.check_new(name, start)
        self._scopes[-1][name] = entry
        if self.is_global:
            self._builder.names.add(name)
        if isinstance(entry, Variable) and not (entry.is_constant or entry.is_input):
            self.has_variables = True

    def find(self, name: str, start: int) -> Entry | None:
        """Return what a name stands for, or None if it is not known here."""
        entry = self.visible(name)
        if entry is None and self.inside and (name in self._scopes[0] or self._register(name)):
            raise self._lexer.error(
                f"{shown(name)} is not visible here: a gate or a subroutine sees only constants "
                "of the program; pass it as a parameter",
                start,
            )
        return entry

    def visible(self, name: str) -> Entry | None:
        """Return what a name stands for, or None if it is not visible here."""
        base = self._bases[-1]
        for scope in reversed(self._scopes[base:]):
            if name in scope:
                return scope[name]
        entry = self._scopes[0].get(name) or self._register(name)
        if base and not (isinstance(entry, Variable) and entry.is_constant):
            return None
        return entry

    def _register(self, name: str) -> Entry | None:
        builder = self._builder
        register = builder.qubits.get(name)
        if register is not None:
            return Qubits(_bits(register), name not in builder.scalars)
        register = builder.clbits.get(name)
        if register is None or name == PHYSICAL:
            return None
        variable = self._outputs.get(name)
        if variable is None:
            type_ = Type("bit", None if name in builder.scalars else register.size)
            variable = self._outputs[name] = output(type_, register.offset)
        return variable

    def qubits_here(self) -> Iterator[Qubits]:
        """Yield the qubits of the gate that is being defined."""
        for entry in self._scopes[self._bases[-1]].values():
            if isinstance(entry, Qubits):
                yield entry

    def known(self) -> Iterator[str]:
        """Yield the names of values that are visible here."""
        for scope in reversed(self._scopes):
            for name, entry in scope.items():
                if isinstance(entry, Variable | Array):
                    yield name

    def registers(self) -> Mapping[str, Register]:
        return {**self._builder.qubits, **self._builder.clbits}


def _bits(register: Register) -> range:
    return range(register.offset, register.offset + register.size)
