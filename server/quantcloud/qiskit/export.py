"""Circuits of Qiskit as OpenQASM 3 with inputs.

Qiskit's own exporter writes angles to nine digits. Here an angle has all its digits.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportIncompatibleMethodOverride=false

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from qiskit.circuit import (  # fmt: skip
    Bit,
    ClassicalRegister,
    Clbit,
    Parameter,
    ParameterExpression,
    QuantumCircuit,
    controlflow,
)
from qiskit.circuit.classical import expr, types
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.compiler import transpile
from qiskit.transpiler.passes import RemoveResetInZeroState

_RENAMED: Final = {"c3sx": "c3sqrtx", "rcccx": "rc3x"}
_WITHOUT_GATES: Final = frozenset(
    {
        "barrier",
        "measure",
        "reset",
        "delay",
        "store",
        "global_phase",
        "break_loop",
        "continue_loop",
        *controlflow.CONTROL_FLOW_OP_NAMES,
    }
)
_NANOSECONDS: Final = {"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1, "ps": 1e-3}
_UNKNOWN: Final = frozenset(
    {"xx_minus_yy", "xx_plus_yy", "global_phase", "delay", "reset", "measure"}
)
_OPERATORS: Final = {
    "BIT_AND": "&", "BIT_OR": "|", "BIT_XOR": "^", "LOGIC_AND": "&&", "LOGIC_OR": "||",
    "EQUAL": "==", "NOT_EQUAL": "!=", "LESS": "<", "LESS_EQUAL": "<=", "GREATER": ">",
    "GREATER_EQUAL": ">=", "SHIFT_LEFT": "<<", "SHIFT_RIGHT": ">>", "ADD": "+", "SUB": "-",
    "MUL": "*", "DIV": "/", "BIT_NOT": "~", "LOGIC_NOT": "!", "NEGATE": "-",
}  # fmt: skip


@cache
def gates() -> Mapping[str, Any]:
    """Return the gates that the server and Qiskit know, by the server's name."""
    known = get_standard_gate_name_mapping()
    return {_RENAMED.get(name, name): gate for name, gate in known.items() if name not in _UNKNOWN}


@cache
def _classes() -> Mapping[str, type]:
    return {gate.name: gate.base_class for gate in gates().values()}


@dataclass(frozen=True)
class Program:
    """A circuit as a text, with the names of its inputs and registers in the text."""

    qasm: str
    parameters: Mapping[str, Any]
    registers: Mapping[str, ClassicalRegister]


def export(circuit: QuantumCircuit) -> Program:
    """Return the OpenQASM 3 text of a circuit. Raises `ValueError` if it has none.

    A circuit without measurement measures nothing that counts, as in Qiskit.
    """
    circuit = _of_known_gates(circuit)
    writer = _Writer(circuit)
    lines = [*writer.head(), *writer.body(circuit, {})]
    if circuit.num_clbits and not any("measure" in line for line in lines):
        # The server would measure every qubit.
        lines += ["bit nothing;", "nothing = measure q[0];"]
    registers = {f"c{place}": each for place, each in enumerate(circuit.cregs)}
    return Program("\n".join([*lines, ""]), writer.parameters, registers)


def _of_known_gates(circuit: QuantumCircuit) -> QuantumCircuit:
    """Return the circuit with the gates that the server does not know decomposed."""
    names, own = _names(circuit)
    if not own and names <= _classes().keys() | _WITHOUT_GATES:
        return circuit
    renamed = circuit.copy_empty_like()
    for each in circuit.data:
        name = each.operation.name
        # A gate of the user that has the name of a standard gate.
        new = each.operation.copy(name=f"own_{name}") if name in own else each.operation
        renamed.append(each.replace(operation=new))
    basis = [*_classes(), *(_WITHOUT_GATES & names)]
    # A state is prepared with resets, which are nothing at the start.
    return RemoveResetInZeroState()(transpile(renamed, basis_gates=basis, optimization_level=0))


def _names(circuit: QuantumCircuit) -> tuple[set[str], set[str]]:
    """Return the names of the operations, and those that only look like a standard gate."""
    names: set[str] = set()
    own: set[str] = set()
    for each in circuit.data:
        name = each.operation.name
        names.add(name)
        if each.is_control_flow():
            for block in each.operation.blocks:
                inner, _ = _names(block)
                names |= inner
        elif (known := _classes().get(name)) and each.operation.base_class is not known:
            own.add(name)
    return names, own


class _Writer:
    """Writes one circuit. A bit, a register and a variable have a text each."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self._circuit = circuit
        self.parameters = {f"p{place}": each for place, each in enumerate(circuit.parameters)}
        self._renamed = {each: Parameter(name) for name, each in self.parameters.items()}
        self._texts: dict[Any, str] = {
            bit: f"q[{place}]" for place, bit in enumerate(circuit.qubits)
        }
        self._loops = 0
        for place, register in enumerate(circuit.cregs):
            self._texts[register] = f"c{place}"
            for index, bit in enumerate(register):
                if bit in self._texts:
                    raise ValueError(
                        f"the register {register.name!r} shares bits with another register; "
                        "give each bit to one register"
                    )
                self._texts[bit] = f"c{place}[{index}]"
        self._loose = [bit for bit in circuit.clbits if bit not in self._texts]
        self._texts |= {bit: f"b{place}" for place, bit in enumerate(self._loose)}

    def head(self) -> Iterator[str]:
        """Yield the declarations."""
        yield 'OPENQASM 3.0;\ninclude "stdgates.inc";'
        yield from (f"input float[64] {name};" for name in self.parameters)
        yield f"qubit[{self._circuit.num_qubits}] q;"
        for place, register in enumerate(self._circuit.cregs):
            if register.size:
                yield f"bit[{register.size}] c{place};"
        yield from (f"bit {self._texts[bit]};" for bit in self._loose)

    def _declarations(self, circuit: QuantumCircuit) -> Iterator[str]:
        for place, var in enumerate(circuit.iter_declared_vars()):
            self._texts[var] = f"v{len(self._texts)}_{place}"
            yield f"{_type(var.type)} {self._texts[var]};"

    def body(self, circuit: QuantumCircuit, bits: Mapping[Bit, str]) -> Iterator[str]:
        """Yield the statements of a circuit, or of a block whose bits have other texts."""
        yield from self._declarations(circuit)
        texts = self._texts | dict(bits)
        for each in circuit.data:
            operation = each.operation
            operands = [texts[bit] for bit in each.qubits]
            match operation.name:
                case "measure":
                    yield f"{texts[each.clbits[0]]} = measure {operands[0]};"
                case "global_phase":
                    pass
                case "barrier" | "reset":
                    yield f"{operation.name} {', '.join(operands)};"
                case "break_loop" | "continue_loop":
                    yield f"{operation.name.partition('_')[0]};"
                case "delay":
                    yield f"delay[{_duration(operation)}] {operands[0]};"
                case "store":
                    target = self._expr(operation.lvalue, texts)
                    yield f"{target} = {self._expr(operation.rvalue, texts)};"
                case name if each.is_control_flow():
                    inner = {
                        bit: texts[outer]
                        for block in operation.blocks
                        for own, given in ((block.qubits, each.qubits), (block.clbits, each.clbits))
                        for bit, outer in zip(own, given, strict=True)
                    }
                    yield from self._flow(name, operation, texts, {**bits, **inner})
                case name:
                    angles = ", ".join(map(self._angle, operation.params))
                    called = (
                        f"{_RENAMED.get(name, name)}({angles})"
                        if angles
                        else _RENAMED.get(name, name)
                    )
                    yield f"{called} {', '.join(operands)};"

    def _angle(self, value: Any) -> str:
        if isinstance(value, Parameter):
            return self._renamed[value].name
        if isinstance(value, ParameterExpression) and value.parameters:
            return str(value.subs({each: self._renamed[each] for each in value.parameters}))
        return repr(float(value))

    def _block(self, block: QuantumCircuit, bits: Mapping[Bit, str]) -> str:
        return "\n".join(["{", *self.body(block, bits), "}"])

    def _flow(
        self, name: str, operation: Any, texts: Mapping[Any, str], bits: Mapping[Bit, str]
    ) -> Iterator[str]:
        match name:
            case "if_else" | "while_loop":
                word = "if" if name == "if_else" else "while"
                then, *rest = (self._block(block, bits) for block in operation.blocks)
                other = "".join(f" else {block}" for block in rest)
                yield f"{word} ({self._condition(operation.condition, texts)}) {then}{other}"
            case "for_loop":
                values, variable, block = operation.params
                if isinstance(values, range):
                    last = values[-1] if values else values.start - values.step
                    listed = f"[{values.start}:{values.step}:{last}]"
                else:
                    listed = "{" + ", ".join(map(str, values)) + "}"
                if not values:
                    return
                self._loops += 1
                new = f"i{self._loops}"
                if variable is not None:
                    self._renamed[variable] = Parameter(new)
                yield f"for int {new} in {listed} {self._block(block, bits)}"
            case "switch_case":
                yield f"switch ({self._value(operation.target, texts)}) {{"
                for labels, block in operation.cases_specifier():
                    given = [int(label) for label in labels if isinstance(label, int)]
                    word = f"case {', '.join(map(str, given))}" if given else "default"
                    yield f"{word} {self._block(block, bits)}"
                yield "}"
            case _:
                raise ValueError(f"the server has no operation {name!r}")

    def _condition(self, condition: Any, texts: Mapping[Any, str]) -> str:
        if isinstance(condition, expr.Expr):
            return self._expr(condition, texts)
        what, value = condition
        return f"{texts[what]} == {int(value)}"

    def _value(self, what: Any, texts: Mapping[Any, str]) -> str:
        if isinstance(what, ClassicalRegister):
            return f"uint[{what.size}]({texts[what]})"
        return f"int({texts[what] if isinstance(what, Clbit) else self._expr(what, texts)})"

    def _expr(self, node: Any, texts: Mapping[Any, str]) -> str:
        match node:
            case expr.Var():
                return texts[node] if node in texts else texts[node.var]
            case expr.Value():
                return str(node.value).lower() if isinstance(node.value, bool) else repr(node.value)
            case expr.Cast():
                return f"{_type(node.type)}({self._expr(node.operand, texts)})"
            case expr.Index():
                return f"{self._expr(node.target, texts)}[{self._expr(node.index, texts)}]"
            case expr.Unary() if node.op.name in _OPERATORS:
                return f"{_OPERATORS[node.op.name]}({self._expr(node.operand, texts)})"
            case expr.Binary() if node.op.name in _OPERATORS:
                left, right = self._expr(node.left, texts), self._expr(node.right, texts)
                return f"({left} {_OPERATORS[node.op.name]} {right})"
            case _:
                raise ValueError(f"the server has no expression {node!r}")


def _type(kind: types.Type) -> str:
    match kind:
        case types.Bool():
            return "bool"
        case types.Uint():
            return f"uint[{kind.width}]"
        case types.Float():
            return "float[64]"
        case _:
            raise ValueError(f"the server has no variables of the type {kind!r}")


def _duration(operation: Any) -> str:
    if operation.unit == "dt":
        return f"{operation.duration}dt"
    if operation.unit not in _NANOSECONDS or isinstance(operation.duration, ParameterExpression):
        raise ValueError("the duration of a delay has to be a number")
    return f"{float(operation.duration) * _NANOSECONDS[operation.unit]!r}ns"
