"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None, typer.Option(help="Where the server keeps its state. \\[default: .quantcloud]")
]
HttpPort = Annotated[
    int | None, typer.Option(help="Port of Envoy; 0 means any free one. \\[default: 8080]")
]
NoConsole = Annotated[bool, typer.Option("--no-console", help="Serve no web console at /.")]
AdminPort = Annotated[
    int | None,
    typer.Option(help="Port of /metrics; 0 means any free one. \\[default: 9464, or a free one]"),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file with settings.", envvar="QUANTCLOUD_CONFIG"),
]
Server = Annotated[
    str | None,
    typer.Option(
        help="HOST:PORT or https://HOST. \\[default: that of `login`, or localhost:50051]",
        envvar="QUANTCLOUD_SERVER",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(help="JWT or API key. \\[default: that of `login`]", envvar="QUANTCLOUD_TOKEN"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, in the form that REST has.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the answer.")]
Circuit = Annotated[Path, typer.Argument(help="An OpenQASM file; - means standard input.")]
JobId = Annotated[str, typer.Argument(help="The job's id.", metavar="JOB")]
Plot = Annotated[
    Path | None, typer.Option(help="Draw the counts to this file, such as counts.png.")
]
Timeout = Annotated[
    float | None, typer.Option(help="How long to wait in seconds; the job goes on.", min=0)
]
User = Annotated[str, typer.Argument(help="The account's identifier.")]
