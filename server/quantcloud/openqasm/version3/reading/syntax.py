"""The syntax tree of OpenQASM 3. Expressions are in postfix notation; all offsets are `start`."""

from typing import NamedTuple, TypeAlias

from quantcloud.openqasm.version3.arithmetic.values import Known


class Name(NamedTuple):
    """A variable, a register, a constant or a physical qubit."""

    text: str
    start: int


class Operator(NamedTuple):
    """An operator on the latest one or two operands."""

    symbol: str
    operands: int
    start: int


class Call(NamedTuple):
    """A function or a subroutine on the latest `number` operands."""

    name: str
    number: int
    start: int


class TypeName(NamedTuple):
    """A type as written; `size` is the expression in brackets.

    In an expression it is a conversion of the latest operand.
    """

    kind: str
    size: "Code | None"
    start: int


class Index(NamedTuple):
    """An index of the operand before the latest `number` ones."""

    number: int
    start: int


class Span(NamedTuple):
    """A range `a:b` or `a:s:b` of the latest operands, of which each may be missing."""

    has_first: bool
    has_step: bool
    has_last: bool
    start: int


class IndexSet(NamedTuple):
    """A set `{a, b}` of the latest `number` operands."""

    number: int
    start: int


Item: TypeAlias = Known | Name | Operator | Call | TypeName | Index | Span | IndexSet
Code: TypeAlias = tuple[Item, ...]


class Measure(NamedTuple):
    """`measure source`, as a statement or as the value of an assignment."""

    source: Code
    start: int


Value: TypeAlias = Code | Measure


class Target(NamedTuple):
    """A variable or a part of it that is assigned to; `place` is an index, or none."""

    name: str
    place: Code | None
    start: int


class Declaration(NamedTuple):
    """A variable, a constant or a parameter. Only the type `qubit` declares qubits."""

    type: TypeName
    name: str
    start: int
    value: Value | None = None
    is_constant: bool = False


class Input(NamedTuple):
    """A parameter of the whole program. `dimensions` are those of an array."""

    type: TypeName
    dimensions: tuple[Code, ...]
    name: str
    start: int


class Alias(NamedTuple):
    """Another name: `let name = value;`."""

    name: str
    value: Code
    start: int


class Assign(NamedTuple):
    """`target = value;`, or with an operator as in `target += value;`."""

    target: Target
    symbol: str | None
    value: Value
    start: int


class Modifier(NamedTuple):
    """`inv @`, `ctrl(argument) @`, `negctrl(argument) @` or `pow(argument) @`."""

    word: str
    argument: Code | None
    start: int


class Gate(NamedTuple):
    """A call of a gate, or of `gphase`."""

    modifiers: tuple[Modifier, ...]
    name: str
    params: tuple[Code, ...]
    operands: tuple[Code, ...]
    start: int


class Barrier(NamedTuple):
    """A barrier; without operands on all qubits."""

    operands: tuple[Code, ...]
    start: int


class Reset(NamedTuple):
    """A reset: `reset target;`."""

    target: Code
    start: int


class Delay(NamedTuple):
    """Idle time; without operands of all qubits."""

    duration: Code
    operands: tuple[Code, ...]
    start: int


class Expression(NamedTuple):
    """A call of a subroutine as a statement."""

    arguments: tuple[Code, ...]
    call: Call
    start: int


class If(NamedTuple):
    """`if (test) then else otherwise`."""

    test: Code
    then: "Body"
    otherwise: "Body"
    start: int


class While(NamedTuple):
    """`while (test) body`."""

    test: Code
    body: "Body"
    start: int


class For(NamedTuple):
    """`for type name in values body`."""

    type: TypeName
    name: str
    values: Code
    body: "Body"
    start: int


class Switch(NamedTuple):
    """`switch (value) { case labels body ... default body }`."""

    value: Code
    cases: "tuple[tuple[tuple[Code, ...], Body], ...]"
    default: "Body"
    start: int


class Jump(NamedTuple):
    """`break`, `continue` or `end`."""

    word: str
    start: int


class Return(NamedTuple):
    """The end of a subroutine: `return value;`."""

    value: Value | None
    start: int


class Subroutine(NamedTuple):
    """`def name(parameters) -> result body`."""

    name: str
    parameters: tuple[Declaration, ...]
    result: TypeName | None
    body: "Body"
    start: int


class GateBody(NamedTuple):
    """`gate name(params) qubits body`."""

    name: str
    params: tuple[str, ...]
    qubits: tuple[str, ...]
    body: "Body"
    start: int


class Opaque(NamedTuple):
    """A gate without a definition: `opaque name(params) qubits;`."""

    name: str
    start: int


class Nothing(NamedTuple):
    """An empty statement or an include."""

    start: int


Statement: TypeAlias = (
    Declaration
    | Input
    | Alias
    | Assign
    | Measure
    | Gate
    | Barrier
    | Reset
    | Delay
    | Expression
    | If
    | While
    | For
    | Switch
    | Jump
    | Return
    | Subroutine
    | GateBody
    | Opaque
    | Nothing
)
Body: TypeAlias = tuple[Statement, ...]
