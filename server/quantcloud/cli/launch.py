"""How commands are declared, and how they end: a failure is one line.

A command imports its modules when it runs. So help is fast, and commands for a remote server work
if only the client is installed.
"""

import inspect
import signal
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, get_args

import typer

from quantcloud.cli.failure import INTERRUPTED, Failure

Work = Callable[..., Any]
Options = Mapping[str, Any]
"""The type of each option by its name. Without a value, a flag is False, and another is None."""


@contextmanager
def loading() -> Generator[None]:
    """Import a command's modules. During that, Ctrl-C ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


def declare(
    app: typer.Typer,
    name: str,
    work: Work,
    run: Callable[[dict[str, Any]], None],
    options: Options = MappingProxyType({}),
    *,
    skip: int = 0,
    **details: Any,
) -> None:
    """Declare a command: it takes the arguments of `work` after the first `skip`, and `options`.

    It calls `run` with all of them by name. A `Failure` prints one line and exits with its code.
    """

    def command(**given: Any) -> None:
        try:
            run(given)
        except Failure as failure:
            typer.echo(f"quantcloud: {failure}", err=True)
            raise typer.Exit(failure.code) from failure
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None

    signature = inspect.signature(work)
    own = [*signature.parameters.values()][skip:]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    parameters += [
        inspect.Parameter(
            each,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if get_args(kind)[0] is bool else None,
            annotation=kind,
        )
        for each, kind in options.items()
    ]
    # As functools.wraps does.
    command.__signature__ = signature.replace(parameters=parameters)  # pyright: ignore[reportFunctionMemberAccess]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__doc__ = work.__doc__
    app.command(name, **details)(command)


def plain(app: typer.Typer, name: str, **details: Any) -> Callable[[Work], Work]:
    """Declare a command whose function gets its own arguments alone."""

    def declared(work: Work) -> Work:
        declare(app, name, work, lambda given: work(**given), **details)
        return work

    return declared
