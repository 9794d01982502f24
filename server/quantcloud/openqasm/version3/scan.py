"""Finds what a part of a program may change, without running it."""

from collections.abc import Iterator

from quantcloud.openqasm.version3.syntax import (
    Assign,
    Body,
    For,
    If,
    Jump,
    Return,
    Statement,
    Switch,
    Target,
    While,
)


def statements(*bodies: Body) -> Iterator[Statement]:
    """Yield all statements in bodies, also those inside of others."""
    pending = [statement for body in bodies for statement in body]
    while pending:
        statement = pending.pop()
        yield statement
        if isinstance(statement, If):
            pending += [*statement.then, *statement.otherwise]
        elif isinstance(statement, While | For):
            pending += statement.body
        elif isinstance(statement, Switch):
            pending += [each for _, body in statement.cases for each in body]
            pending += statement.default


def targets(*bodies: Body) -> Iterator[Target]:
    """Yield what assignments and measurements may change."""
    for statement in statements(*bodies):
        if isinstance(statement, Assign):
            yield statement.target


def has_jump(*bodies: Body) -> bool:
    """Return whether a statement may jump."""
    return any(isinstance(statement, Jump | Return) for statement in statements(*bodies))


def has_return(*bodies: Body) -> bool:
    """Return whether a statement may return."""
    return any(isinstance(statement, Return) for statement in statements(*bodies))
