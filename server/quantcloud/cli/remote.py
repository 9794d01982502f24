"""How the commands for a server are declared: what all of them take, and how they end."""

import inspect
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from quantcloud.cli.launch import guarded, loading
from quantcloud.cli.options import Json, Quiet, Server, Token

if TYPE_CHECKING:
    from quantcloud.cli.session import Session

Work = Callable[..., None]
Option = tuple[str, Any, Any]
"""The name of an option, its type, and its default."""
# What each command takes besides its own arguments.
_COMMON = (
    ("server", Server, None),
    ("token", Token, None),
    ("as_json", Json, False),
    ("quiet", Quiet, False),
)


def command(
    app: typer.Typer, name: str, fields: Sequence[Option] = (), **options: Any
) -> Callable[[Work], Work]:
    """Declare a command. Its function gets a `Session` and its own arguments.

    The values of `fields`, options that several commands share, are its argument `fields`.
    """

    def declare(work: Work) -> Work:
        signature = inspect.signature(work)
        own = [*signature.parameters.values()][2 if fields else 1 :]
        common = [
            inspect.Parameter(
                each, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
            )
            for each, kind, default in (*fields, *_COMMON)
        ]

        def run(**given: Any) -> None:
            shared = {each: given.pop(each) for each, _, _ in _COMMON}
            if fields:
                given["fields"] = {each: given.pop(each) for each, _, _ in fields}
            # gRPC's own log would add to the line that says what failed.
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
            with loading():
                from quantcloud.cli.session import Session  # noqa: PLC0415  # see `launch`

                session = Session(**shared)
            guarded(lambda: _run(session, work, given))

        named = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        run.__signature__ = signature.replace(parameters=[*named, *common])  # pyright: ignore[reportFunctionMemberAccess]  # as functools.wraps does
        run.__annotations__ = {each.name: each.annotation for each in (*own, *common)}
        run.__doc__ = work.__doc__
        app.command(name, **options)(run)
        return work

    return declare


def _run(session: "Session", work: Work, given: dict[str, Any]) -> None:
    with session:
        work(session, **given)
