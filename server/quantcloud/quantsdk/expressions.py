"""Evaluate the expressions of a program. Each supported kind has a method."""

import ast
from abc import ABC, abstractmethod
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias

from quantcloud.domain.errors import CircuitError
from quantcloud.quantsdk import natives, operations, sdk
from quantcloud.quantsdk.values import NUMBERS, Module, Native, Refusal, kind_of, type_of

# The errors that a program's own mistakes raise.
_FAULTS: Final = (Refusal, ArithmeticError, LookupError, TypeError, ValueError, RecursionError)
_MAX_MESSAGE = 300

_WORDS: Final[Mapping[type, str]] = {
    ast.Starred: "'*'",
    ast.NamedExpr: "':='",
    ast.ClassDef: "'class'",
    ast.Delete: "'del'",
    ast.AsyncFunctionDef: "'async'",
    ast.DictComp: "a comprehension of a dict",
    ast.SetComp: "a comprehension of a set",
    ast.Set: "a set",
    ast.Constant: "a value of this kind",
    ast.Name: "this name",
    ast.Call: "this call",
    ast.arg: "'*' or '**'",
}

_EXPRESSIONS: Final = (
    "a name, a number, a string, a list, a tuple, a dict, a list comprehension, a call, "
    "arithmetic, a comparison, an attribute or a subscript can"
)
_STATEMENTS: Final = (
    "an assignment, a call, import, def, return, if, for, while, break, continue or pass can"
)


_METHODS: Final[Mapping[type, Mapping[str, Native]]] = {
    sdk.Circuit: sdk.METHODS,
    **natives.METHODS,
}


class NotUnderstood(CircuitError):
    """A program uses something unsupported, at a 1-based line and column."""

    reason = "CODE_NOT_UNDERSTOOD"

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message, line, column, field="code")


Scope: TypeAlias = ChainMap[str, Any]
"""The names of a function or module, before those of the scopes around it."""


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """A function that the program defines."""

    name: str
    signature: Mapping[str, Any]
    body: Sequence[ast.stmt]
    scope: Scope

    def __repr__(self) -> str:
        return f"<function {self.name}>"


class Evaluator(ABC):
    """Evaluates expressions in `scope`.

    `line` is that of the statement or call that is being executed. What raises raises
    `NotUnderstood`, and `FirstRun` where the program runs a circuit.
    """

    def __init__(self, source: str, session: sdk.Session) -> None:
        self._lines = source.splitlines()
        self._session = session
        self.scope: Scope = ChainMap({}, dict(natives.BUILTINS))
        self.line = 1
        self._visitors: dict[type, Callable[[Any], Any]] = {
            ast.Constant: self._constant,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.BoolOp: self._boolean,
            ast.Compare: self._compare,
            ast.IfExp: self._conditional,
            ast.List: lambda node: self._session.sized(self.values(node.elts)),
            ast.Tuple: lambda node: self._session.sized(tuple(self.values(node.elts))),
            ast.Dict: self._dict,
            ast.ListComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.Subscript: self._subscript,
            ast.Slice: self._slice,
            ast.JoinedStr: self._joined,
            ast.FormattedValue: self._formatted,
        }

    def located(self, error: Exception, node: ast.expr | ast.stmt | ast.arg) -> NotUnderstood:
        """Make an error with its place. In a chain of calls, that is the name that it is about."""
        line, offset = node.lineno, node.col_offset
        called = node.func if isinstance(node, ast.Call) else node
        if isinstance(called, ast.Attribute):
            line = called.end_lineno or line
            offset = (called.end_col_offset or 0) - len(called.attr.encode())
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        column = len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")) + 1
        if isinstance(error, RecursionError):
            message = "this is nested too deeply; write it in several statements"
        else:
            message = str(error.args[0] if error.args else error)
        return NotUnderstood(message[:_MAX_MESSAGE], line, column)

    def refuse(self, node: ast.expr | ast.stmt | ast.arg, instead: str) -> NoReturn:
        """Raise an error that says what may stand in place of `node`."""
        what = _WORDS.get(type(node), f"'{type(node).__name__.lower()}'")
        raise self.located(Refusal(f"{what} cannot stand here; {instead}"), node)

    @abstractmethod
    def invoke(self, function: Function, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Call a function that the program defines."""

    @abstractmethod
    def assign(self, target: ast.expr, value: Any) -> None:
        """Give a value to a name, a subscript, or several of them."""

    def visit(self, node: ast.expr | ast.stmt) -> Any:
        """Return the value of an expression, or execute a statement."""
        visitor = self._visitors.get(type(node))
        if visitor is None:
            self.refuse(node, _STATEMENTS if isinstance(node, ast.stmt) else _EXPRESSIONS)
        try:
            self._session.spend()
            return visitor(node)
        except _FAULTS as error:
            raise self.located(error, node) from None

    def values(self, nodes: Sequence[ast.expr]) -> list[Any]:
        return [self.visit(node) for node in nodes]

    def _constant(self, node: ast.Constant) -> Any:
        if type(node.value) not in (*NUMBERS, str, type(None)):
            self.refuse(node, "a number, a string, True, False or None can")
        return self._session.sized(node.value)

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self.scope:
            raise Refusal(f"{node.id!r} is not defined")
        return self.scope[node.id]

    def _attribute(self, node: ast.Attribute) -> Any:
        value, name = self.visit(node.value), node.attr
        if isinstance(value, Module | Native):
            return member(value, name)
        kind = type_of(value)
        properties = sdk.PROPERTIES.get(kind, {})
        if name in properties:
            return properties[name](self._session, value)
        methods = _METHODS.get(kind, {})
        if name not in methods:
            raise Refusal(_lacks(kind_of(value), name, [*properties, *methods]))
        method = methods[name]
        return Native(name, method.function, method.signature, (value,))

    def _call(self, node: ast.Call) -> Any:
        function = self.visit(node.func)
        arguments = self.values(node.args)
        named: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse(keyword.value, "arguments are given one by one, not by '**'")
            named[keyword.arg] = self.visit(keyword.value)
        if isinstance(function, Native):
            self.line = node.func.end_lineno or node.lineno
            return function.call(self._session, arguments, named)
        if isinstance(function, Function):
            return self.invoke(function, arguments, named)
        raise Refusal(f"{kind_of(function)} cannot be called")

    def _binary(self, node: ast.BinOp) -> Any:
        left = self.visit(node.left)
        return operations.binary(self._session, type(node.op), left, self.visit(node.right))

    def _unary(self, node: ast.UnaryOp) -> Any:
        return operations.unary(self._session, type(node.op), self.visit(node.operand))

    def _boolean(self, node: ast.BoolOp) -> Any:
        ends = isinstance(node.op, ast.Or)
        value = None
        for each in node.values:
            value = self.visit(each)
            if bool(value) is ends:
                break
        return value

    def _compare(self, node: ast.Compare) -> bool:
        left = self.visit(node.left)
        for operator, each in zip(node.ops, node.comparators, strict=True):
            right = self.visit(each)
            if not operations.compare(self._session, type(operator), left, right):
                return False
            left = right
        return True

    def _conditional(self, node: ast.IfExp) -> Any:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def _dict(self, node: ast.Dict) -> Any:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self.refuse(value, "a dict has keys and values, and no '**'")
            operations.put(self._session, made, self.visit(key), self.visit(value))
        return made

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        made: list[Any] = []
        outside = self.scope
        self.scope = outside.new_child()
        try:
            self._generate(node.elt, node.generators, made)
        finally:
            self.scope = outside
        return self._session.sized(made)

    def _generate(
        self, element: ast.expr, generators: Sequence[ast.comprehension], made: list[Any]
    ) -> None:
        if not generators:
            made.append(self.visit(element))
            return
        first, *others = generators
        if first.is_async:
            self.refuse(first.target, "'async' cannot")
        for each in self._session.items(self.visit(first.iter)):
            self.assign(first.target, each)
            if all(self.visit(test) for test in first.ifs):
                self._generate(element, others, made)

    def _subscript(self, node: ast.Subscript) -> Any:
        value = self.visit(node.value)
        return operations.subscript(self._session, value, self.visit(node.slice))

    def _slice(self, node: ast.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*[None if part is None else self.visit(part) for part in parts])

    def _joined(self, node: ast.JoinedStr) -> str:
        text = ""
        for each in node.values:
            text = self._session.sized(text + self.visit(each))
        return text

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self.visit(node.value)
        specification = "" if node.format_spec is None else self.visit(node.format_spec)
        if node.conversion in (ord("r"), ord("a")):
            value = operations.shown(self._session, value, quoted=True)
        elif node.conversion == ord("s"):
            value = operations.shown(self._session, value)
        return operations.formatted(self._session, value, specification)


def member(owner: Module | Native, name: str) -> Any:
    """Return a member of a module. Raises `Refusal`."""
    if name not in owner.members:
        raise Refusal(_lacks(owner.name, name, owner.members))
    return owner.members[name]


def _lacks(what: str, name: str, others: Iterable[str]) -> str:
    has = f"it has {', '.join(sorted(others))}" if others else "it has none here"
    return f"{what} has no {name!r}; {has}"
