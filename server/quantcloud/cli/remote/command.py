"""How the commands for a server are declared, and the options of several of them."""

import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from quantcloud.cli.launch import Options, Work, declare, loading
from quantcloud.cli.remote.arguments import run_fields

Circuit = Annotated[Path, typer.Argument(help="An OpenQASM file; - means standard input.")]
JobId = Annotated[str, typer.Argument(help="The job's id.", metavar="JOB")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw the counts to this file, such as counts.png.")
]
Timeout = Annotated[
    float | None, typer.Option(help="How long to wait in seconds; the job goes on.", min=0)
]

# What each command takes besides its own arguments.
_COMMON = {
    "server": Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT or https://HOST. \\[default: that of `login`, or localhost:50051]",
            envvar="QUANTCLOUD_SERVER",
        ),
    ],
    "token": Annotated[
        str | None,
        typer.Option(
            help="JWT or API key. \\[default: that of `login`]", envvar="QUANTCLOUD_TOKEN"
        ),
    ],
    "as_json": Annotated[
        bool, typer.Option("--json", help="Print JSON, in the form that REST has.")
    ],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer.")],
}


def command(
    app: typer.Typer, name: str, fields: Options = MappingProxyType({}), **details: Any
) -> Callable[[Work], Work]:
    """Declare a command for a server. Its function gets a `Session` and its own arguments.

    The values of `fields`, options of a run that several commands share, are its argument `fields`,
    as arguments of a run.
    """

    def declared(work: Work) -> Work:
        def run(given: dict[str, Any]) -> None:
            shared = {each: given.pop(each) for each in _COMMON}
            # gRPC's own log would add to the line that says what failed.
            os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
            with loading():
                from quantcloud.cli.remote.session import Session
            if fields:
                given["fields"] = run_fields({each: given.pop(each) for each in fields})
            with Session(**shared) as session:
                work(session, **given)

        declare(app, name, work, run, {**fields, **_COMMON}, skip=2 if fields else 1, **details)
        return work

    return declared


def beginning(*words: str) -> Callable[[str], list[str]]:
    """Return what completes the beginning of one of these words."""
    return lambda incomplete: [each for each in words if each.startswith(incomplete)]
