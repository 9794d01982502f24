"""How a command starts: it imports its modules when it runs, and a failure is one line.

So help is fast, and commands for a remote server work if only the client is installed.
"""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager

import typer

from quantcloud import DISTRIBUTION
from quantcloud.cli.failure import INTERRUPTED, Failure


@contextmanager
def loading() -> Generator[None]:
    """Import a command's modules. During that, Ctrl-C ends the process without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def loading_server() -> Generator[None]:
    """Import a command that runs on the server's machine.

    If a package is missing, print how to install it and exit with code 1.
    """
    try:
        with loading():
            from quantcloud.process import import_structlog

            import_structlog()
            yield
    except ModuleNotFoundError as missing:
        typer.echo(
            f"quantcloud: {missing.name} is not installed, and this command needs it: "
            f"pip install '{DISTRIBUTION}[server]'",
            err=True,
        )
        raise typer.Exit(1) from missing


def guarded(work: Callable[[], None]) -> None:
    """Run a command. A `Failure` prints one line and exits with its code."""
    try:
        work()
    except Failure as failure:
        typer.echo(f"quantcloud: {failure}", err=True)
        raise typer.Exit(failure.code) from failure
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
