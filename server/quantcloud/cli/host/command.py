"""How the commands on a server's machine are declared, and the options of several of them."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from quantcloud import DISTRIBUTION
from quantcloud.cli.launch import Options, Work, declare, loading

DataDir = Annotated[
    Path | None, typer.Option(help="Where the server keeps its state. \\[default: .quantcloud]")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file with settings.", envvar="QUANTCLOUD_CONFIG"),
]
User = Annotated[str, typer.Argument(help="The account's identifier.")]


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


def on_host(
    app: typer.Typer, name: str, options: Options = MappingProxyType({}), **details: Any
) -> Callable[[Work], Work]:
    """Declare a command whose function gets the server's settings and its own arguments.

    Each of `options` is a setting by its name, or `config`, the file with settings. The command
    prints the text that the function returns, if any.
    """

    def declared(work: Work) -> Work:
        def run(given: dict[str, Any]) -> None:
            with loading_server():
                from quantcloud.cli.host.configuration import read_settings
            named = {each: given.pop(each) for each in ("data_dir", *options)}
            settings = read_settings(named, named.pop("config", None))
            if text := work(settings, **given):
                typer.echo(text)

        declare(app, name, work, run, {"data_dir": DataDir, **options}, skip=1, **details)
        return work

    return declared
