"""Execute the statements of a program. Each supported kind has a method."""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

from quantcloud.openqasm.hints import quantity
from quantcloud.quantsdk import natives, operations, sdk
from quantcloud.quantsdk.expressions import Evaluator, Function, member
from quantcloud.quantsdk.values import REQUIRED, Module, Refusal, bind, type_of

MAX_CALLS: Final = 50
"""The most nested calls of the program's functions."""

_MODULES: Final[Mapping[str, Module]] = {m.name: m for m in (sdk.QUANTSDK, natives.MATH)}
_IMPORTS: Final = f"only {' and '.join(_MODULES)} can be imported"


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Interpreter(Evaluator):
    """Executes one program."""

    def __init__(self, source: str, session: sdk.Session) -> None:
        super().__init__(source, session)
        self._calls = self._loops = 0
        self._visitors |= {
            ast.Expr: lambda node: self.visit(node.value),
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.If: self._if,
            ast.For: self._for,
            ast.While: self._while,
            ast.FunctionDef: self._def,
            ast.Return: self._return,
            ast.Break: lambda _: self._jump(self._loops, "break", "a loop", _Break()),
            ast.Continue: lambda _: self._jump(self._loops, "continue", "a loop", _Continue()),
            ast.Pass: lambda _: None,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
        }

    def run(self, module: ast.Module) -> None:
        """Raises `NotUnderstood`, or `FirstRun` when the program runs a circuit."""
        self._block(module.body)

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for node in body:
            self.line = node.lineno
            self.visit(node)

    def _assign(self, node: ast.Assign) -> None:
        value = self.visit(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.visit(node.value))

    def _augmented(self, node: ast.AugAssign) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            before = self.visit(target)
            self.assign(target, self._joined_in_place(node, before))
        elif isinstance(target, ast.Subscript):
            held, index = self.visit(target.value), self.visit(target.slice)
            before = operations.subscript(self._session, held, index)
            operations.put(self._session, held, index, self._joined_in_place(node, before))
        else:
            self.refuse(target, "a name or a subscript can")

    def _joined_in_place(self, node: ast.AugAssign, before: Any) -> Any:
        value = self.visit(node.value)
        if type_of(before) is list and isinstance(node.op, ast.Add):
            natives.extend(self._session, before, value)
            return before
        return operations.binary(self._session, type(node.op), before, value)

    def assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.scope[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            values = self._session.listed(value)
            if len(values) != len(target.elts):
                names, values_given = (
                    quantity(len(target.elts), "name"),
                    quantity(len(values), "value"),
                )
                raise self.located(Refusal(f"{values_given} cannot go to {names}"), target)
            for each, part in zip(target.elts, values, strict=True):
                self.assign(each, part)
        elif isinstance(target, ast.Subscript):
            operations.put(self._session, self.visit(target.value), self.visit(target.slice), value)
        else:
            self.refuse(target, "a value can be given to names and subscripts")

    def _if(self, node: ast.If) -> None:
        self._block(node.body if self.visit(node.test) else node.orelse)

    def _for(self, node: ast.For) -> None:
        for each in self._session.items(self.visit(node.iter)):
            self.assign(node.target, each)
            if not self._loop(node.body):
                return
        self._block(node.orelse)

    def _while(self, node: ast.While) -> None:
        while self.visit(node.test):
            if not self._loop(node.body):
                return
        self._block(node.orelse)

    def _loop(self, body: Sequence[ast.stmt]) -> bool:
        """Execute a loop's body once. Return False if it leaves the loop."""
        self._loops += 1
        try:
            self._block(body)
        except _Continue:
            pass
        except _Break:
            return False
        finally:
            self._loops -= 1
        return True

    def _return(self, node: ast.Return) -> None:
        value = None if node.value is None else self.visit(node.value)
        self._jump(self._calls, "return", "a function", _Return(value))

    def _jump(self, depth: int, word: str, where: str, jump: Exception) -> NoReturn:
        if not depth:
            raise Refusal(f"{word} stands in {where} only")
        raise jump

    def _def(self, node: ast.FunctionDef) -> None:
        given = node.args
        others = (*node.decorator_list, given.vararg, *given.kwonlyargs, given.kwarg)
        for other in others:
            if other is not None:
                self.refuse(other, "a function takes plain parameters, with defaults or without")
        names = [argument.arg for argument in (*given.posonlyargs, *given.args)]
        signature = dict.fromkeys(names, REQUIRED)
        if given.defaults:
            values = self.values(given.defaults)
            signature.update(zip(names[-len(values) :], values, strict=True))
        self.scope[node.name] = Function(node.name, signature, node.body, self.scope)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name not in _MODULES:
                raise Refusal(f"{alias.name!r} cannot be imported; {_IMPORTS}")
            self.scope[alias.asname or alias.name] = _MODULES[alias.name]

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = _MODULES.get(node.module or "")
        if module is None or node.level:
            raise Refusal(f"{node.module!r} cannot be imported from; {_IMPORTS}")
        for alias in node.names:
            self.scope[alias.asname or alias.name] = member(module, alias.name)

    def invoke(self, function: Function, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        if self._calls >= MAX_CALLS:
            raise Refusal(f"more than {MAX_CALLS} functions call each other")
        values = bind(function.name, function.signature, arguments, named)
        inside = function.scope.new_child(dict(zip(function.signature, values, strict=True)))
        outside = self.scope, self._loops
        self.scope, self._loops = inside, 0
        self._calls += 1
        try:
            self._block(function.body)
        except _Return as result:
            return result.value
        finally:
            self._calls -= 1
            self.scope, self._loops = outside
        return None
