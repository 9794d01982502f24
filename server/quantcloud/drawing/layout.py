"""Where the parts of a drawing are: wires in rows, and instructions in columns.

A drawing is bounded, however long the circuit is. Qubits that have no row share the last row of the
qubits, and what comes after the last column is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from quantcloud.circuits import Circuit
from quantcloud.circuits.gates import CONTROLLED_GATES
from quantcloud.circuits.ir import CONTROL, Condition, Operation, Register
from quantcloud.domain.value_object import value_object
from quantcloud.drawing.labels import duration, gate_label, input_names, shortened

MAX_QUBITS: Final = 40
MAX_REGISTERS: Final = 20
MAX_COLUMNS: Final = 120
MAX_ITEMS: Final = 2000

# Values of more bits are written in hexadecimal.
_DECIMAL_BITS: Final = 12
_MARKS: Final = {"assign": ":=", "while": "while", "end": "end"}


@value_object
class Wire:
    """A row: a qubit, a classical register, or the qubits that have no row of their own."""

    label: str
    is_classical: bool = False
    is_rest: bool = False


@dataclass(slots=True)
class Item:
    """One instruction in a column. All places are rows.

    `box` is the first and the last row of its box, and `pins` numbers the rows where a gate on
    several qubits has them. `mark` is a text at a classical wire.
    """

    column: int
    label: str = ""
    box: tuple[int, int] | None = None
    pins: Mapping[int, str] = field(default_factory=dict[int, str])
    dots: Sequence[int] = ()
    targets: Sequence[int] = ()
    crosses: Sequence[int] = ()
    mark: tuple[int, str] | None = None
    is_barrier: bool = False
    is_measurement: bool = False
    span: tuple[int, int] = (0, 0)


@value_object
class Layout:
    """A drawing without measures."""

    wires: Sequence[Wire]
    items: Sequence[Item]
    columns: int
    hidden_qubits: int
    hidden_instructions: int


def arranged(circuit: Circuit) -> Layout:
    """Return the layout of a circuit."""
    return _Arranger(circuit).arrange()


class _Arranger:
    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        self._shown = min(circuit.num_qubits, MAX_QUBITS)
        hidden = circuit.num_qubits - self._shown
        self._wires = [
            Wire(
                f"{shortened(register.name)}[{i}]"
                if register.size > 1
                else shortened(register.name)
            )
            for register in circuit.qubit_registers
            for i in range(min(register.size, MAX_QUBITS))
        ][: self._shown]
        if hidden:
            self._wires.append(Wire(f"{hidden} more", is_rest=True))
        self._qubit_rows = len(self._wires)
        registers = [register for register in circuit.clbit_registers if register.size]
        self._registers = registers[:MAX_REGISTERS]
        for register in self._registers:
            name = shortened(register.name)
            size = f"/{register.size}" if register.size > 1 else ""
            self._wires.append(Wire(f"{name}{size}", is_classical=True))
        self._hidden = hidden
        self._inputs = input_names(circuit.inputs)
        self._front = [0] * max(1, len(self._wires))

    def arrange(self) -> Layout:
        items: list[Item] = []
        left = 0
        for operation in self._circuit.operations:
            if len(items) >= MAX_ITEMS or min(self._front) >= MAX_COLUMNS:
                left += 1
                continue
            item = self._item(operation)
            if item is None:
                left += 1
                continue
            low, high = item.span
            item.column = max(self._front[low : high + 1])
            if item.column >= MAX_COLUMNS:
                left += 1
            else:
                items.append(item)
            self._front[low : high + 1] = [item.column + 1] * (high - low + 1)
        columns = max((item.column + 1 for item in items), default=0)
        return Layout(self._wires, items, columns, self._hidden, left)

    def _rows(self, qubits: Sequence[int]) -> list[int]:
        return [min(qubit, self._shown) for qubit in qubits]

    def _item(self, operation: Operation) -> Item | None:
        """Return an instruction without its column, or None if all its qubits are hidden."""
        name = operation.name
        if name in CONTROL:
            label = _MARKS[name]
            return self._spanning(Item(0, label, (0, max(0, self._qubit_rows - 1))), operation)
        rows = self._rows(operation.qubits)
        if all(row == self._shown for row in rows) and self._hidden:
            return None
        if name == "barrier":
            return Item(0, is_barrier=True, dots=sorted(set(rows)), span=(min(rows), max(rows)))
        if name == "measure":
            item = Item(0, "M", (rows[0], rows[0]), is_measurement=True)
            item.mark = self._bit(operation.clbits[0])
        elif name == "delay":
            item = Item(0, duration(operation.params[0]), (rows[0], rows[0]))
        else:
            item = self._gate(operation, rows)
        return self._spanning(item, operation)

    def _gate(self, operation: Operation, rows: Sequence[int]) -> Item:
        name = operation.name
        standard = name not in self._circuit.definitions
        controls, inner = CONTROLLED_GATES.get(name, (0, name)) if standard else (0, name)
        # These have symbols of their own.
        has_symbol = inner == "swap" or (controls and inner in ("x", "z"))
        label = gate_label(
            name if has_symbol else inner, operation.params, standard=standard, inputs=self._inputs
        )
        dots, rest = rows[:controls], rows[controls:]
        # Hidden qubits share a row, where a control and its target cannot be told apart.
        if len(set(rows)) == len(rows) and standard:
            if has_symbol and inner == "z":
                return Item(0, dots=rows)
            if has_symbol and inner == "x":
                return Item(0, dots=dots, targets=rest)
            if has_symbol:
                return Item(0, dots=dots, crosses=rest)
            if len(rest) == 1:
                return Item(0, label, (rest[0], rest[0]), dots=dots)
        if len(rows) == 1:
            return Item(0, label, (rows[0], rows[0]))
        pins = {row: str(i) for i, row in reversed(list(enumerate(rows)))}
        return Item(0, label, (min(rows), max(rows)), pins)

    def _spanning(self, item: Item, operation: Operation) -> Item:
        """Set the rows that an instruction takes, with the classical wire of its condition."""
        if operation.condition is not None and item.mark is None:
            item.mark = self._condition(operation.condition)
        rows = [*item.dots, *item.targets, *item.crosses, *(item.box or ())]
        if item.mark is not None:
            rows.append(item.mark[0])
        item.span = (min(rows), max(rows))
        return item

    def _place(self, bit: int) -> tuple[int, Register] | None:
        for i, register in enumerate(self._registers):
            if register.offset <= bit < register.offset + register.size:
                return self._qubit_rows + i, register
        return None

    def _bit(self, bit: int) -> tuple[int, str] | None:
        found = self._place(bit)
        if found is None:
            return None
        row, register = found
        return row, str(bit - register.offset) if register.size > 1 else ""

    def _condition(self, condition: Condition) -> tuple[int, str] | None:
        found = self._place(condition.offset)
        if found is None:
            return None
        row, register = found
        value = shortened(
            str(condition.value) if condition.size <= _DECIMAL_BITS else f"{condition.value:#x}"
        )
        if condition.size < register.size:
            first = condition.offset - register.offset
            last = first + condition.size - 1
            bits = f"{first}" if first == last else f"{first}:{last}"
            return row, f"[{bits}]={value}"
        return row, f"={value}"
