"""The contract lists exactly the reasons that the server sends."""

import ast
from collections.abc import Iterator
from pathlib import Path

import quantcloud
from quantcloud.domain import errors
from quantcloud.storage.database.errors import Failure
from thequantcloud.v1.error_reason_pb2 import ErrorReason

MODULES = [ast.parse(path.read_text()) for path in Path(quantcloud.__file__).parent.rglob("*.py")]
NODES = [node for module in MODULES for node in ast.walk(module)]
ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.DomainError)
}
# The functions that raise it: `identifier` refuses what cannot be a resource's id.
NOT_FOUND = {"NotFound", "identifier"}


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def constants() -> dict[str, str]:
    """Return the named texts by their names."""
    found = {}
    for node in NODES:
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant):
            (target, *_) = node.targets if isinstance(node, ast.Assign) else [node.target]
            if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                found[target.id] = node.value.value
    return found


def text(value: ast.expr) -> Iterator[str]:
    """Yield the text of a literal or of a named constant, else nothing."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Name) and value.id in CONSTANTS:
        yield CONSTANTS[value.id]


CONSTANTS = constants()


def of_call(call: ast.Call) -> Iterator[str]:
    name = name_of(call.func)
    given = [word.value for word in call.keywords if word.arg == "reason"]
    if name in ERRORS or name == "ErrorInfo":
        for value in given:
            yield from text(value)
    if name in NOT_FOUND:
        for resource in text(call.args[0]):
            yield errors.NotFound(resource, "id").reason
    elif name in ERRORS and not given:
        yield ERRORS[name].reason


def of_function(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the default of a function's `reason`. The client's errors may have none."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    defaults = function.args.defaults
    for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
        if name == "reason":
            yield from filter(None, text(value))


def of_class(node: ast.ClassDef) -> Iterator[str]:
    """Yield the reason of an error's class that is not in `domain.errors`."""
    if node.name not in ERRORS:
        for each in node.body:
            if isinstance(each, ast.Assign) and name_of(each.targets[0]) == "reason":
                yield from text(each.value)


def of_enum(node: ast.Attribute) -> Iterator[str]:
    if name_of(node.value) == "ErrorReason" and node.attr.isupper():
        yield node.attr


def sent() -> set[str]:
    kinds = {
        ast.Call: of_call, ast.FunctionDef: of_function, ast.ClassDef: of_class,
        ast.Attribute: of_enum,
    }  # fmt: skip
    return {reason for node in NODES if type(node) in kinds for reason in kinds[type(node)](node)}


def test_the_contract_lists_every_reason_and_no_other():
    assert sent() | {errors.DomainError.reason} | {each.value for each in Failure} == set(
        ErrorReason.Name.keys()
    )


def test_a_reason_given_as_a_literal_is_found():
    (call,) = ast.parse("Unavailable('x', reason='NEW')").body
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    assert list(of_call(call.value)) == ["NEW"]
