"""How a command starts: it imports its modules when it runs, and a failure is one line.

So help is fast, and commands for a remote server work if only the client is installed.
"""

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from quantcloud import DISTRIBUTION
from quantcloud.cli.failure import INTERRUPTED, Failure

if TYPE_CHECKING:
    from quantcloud.settings import Settings


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


def with_settings(
    data_dir: Path | None,
    work: Callable[["Settings"], str | None],
    *,
    http_port: int | None = None,
) -> None:
    """Run a command with the server's settings, and print what it returns, if anything."""
    with loading_server():
        from quantcloud.cli.configuration import read_settings

    settings = read_settings({"data_dir": data_dir, "http_port": http_port})

    def run() -> None:
        if text := work(settings):
            typer.echo(text)

    guarded(run)
