"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None, typer.Option(help="Where the server keeps its state. [default: .quantcloud]")
]
HttpPort = Annotated[
    int | None, typer.Option(help="Port of Envoy; 0 means any free one. [default: 8080]")
]
NoConsole = Annotated[bool, typer.Option("--no-console", help="Serve no web console at /.")]
AdminPort = Annotated[
    int | None,
    typer.Option(help="Port of /metrics; 0 means any free one. [default: 9464, or a free one]"),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file with settings.", envvar="QUANTCLOUD_CONFIG"),
]
Server = Annotated[str, typer.Option(help="HOST:PORT of the server.", envvar="QUANTCLOUD_SERVER")]
Token = Annotated[str | None, typer.Option(help="JWT or API key.", envvar="QUANTCLOUD_TOKEN")]
User = Annotated[str, typer.Argument(help="The account's identifier.")]
