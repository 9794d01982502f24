"""The `quantcloud` command: the groups of its commands."""

import os
import sys
from typing import Annotated

import typer

from quantcloud import DISTRIBUTION
from quantcloud.cli.failure import EXIT_CODES
from quantcloud.cli.host import operator, serving
from quantcloud.cli.remote import circuits, jobs, service
from quantcloud.environment import not_text

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, epilog=EXIT_CODES)
for group in (circuits, jobs, service, serving, operator):
    app.add_typer(group.app)


def main() -> int:
    """Run the command that the arguments name and return the exit code. Raises `SystemExit`."""
    if wrong := not_text(sys.argv[1:], os.environ):
        typer.echo(f"quantcloud: {wrong}", err=True)
        return 2
    app()
    return 0


def _show_version(wanted: bool) -> None:  # noqa: FBT001  # typer's signature
    if wanted:
        from importlib import metadata

        typer.echo(f"quantcloud {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


@app.callback()
def _every_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """TheQuantCloud: a quantum cloud that anyone can host."""
