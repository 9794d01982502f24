"""The commands and their options.

What only one command needs is imported by that one: a server, which needs little of it, is to
start soon.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from quantcloud import DISTRIBUTION
from quantcloud.cli.failure import Failure
from quantcloud.cli.token import DEFAULT_LIFETIME_HOURS, MAXIMUM_LIFETIME_HOURS, make_token
from quantcloud.domain.account import Tier
from quantcloud.settings import PREFIX, Settings

DataDir = Annotated[
    Path | None, typer.Option(help="Where the server keeps its state. [default: .quantcloud]")
]
Server = Annotated[str, typer.Option(help="HOST:PORT of the server.", envvar="QUANTCLOUD_SERVER")]
Token = Annotated[str | None, typer.Option(help="JWT or API key.", envvar="QUANTCLOUD_TOKEN")]
User = Annotated[str, typer.Argument(help="The account's identifier.")]
DEFAULT_SERVER = "localhost:50051"


def build(
    serve: Callable[[Settings], int], front: Callable[[Settings, Sequence[str]], int]
) -> typer.Typer:
    """The command line; `serve` runs a server until it is told to stop, and `front` an Envoy."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

    app.callback()(_every_command)

    @app.command("serve")
    def serve_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        *,
        data_dir: DataDir = None,
        http_port: Annotated[
            int | None, typer.Option(help="Port of Envoy; 0 is any free one. [default: 8080]")
        ] = None,
        grpc_port: Annotated[
            int | None,
            typer.Option(help="Port of the gRPC server; 0 is any free one. [default: 50051]"),
        ] = None,
        workers: Annotated[
            int | None, typer.Option(help="Worker processes. [default: one for each core]")
        ] = None,
        engine: Annotated[
            str | None,
            typer.Option(help="Where circuits run: local, or ray for a Ray cluster."),
        ] = None,
        ray_address: Annotated[
            str | None,
            typer.Option(help="HOST:PORT of the cluster's head. [default: that of this machine]"),
        ] = None,
        no_envoy: Annotated[bool, typer.Option("--no-envoy", help="Serve gRPC only.")] = False,
    ) -> None:
        """Run the server, its workers and Envoy in the foreground."""
        given: dict[str, Any] = {
            "data_dir": data_dir,
            "http_port": http_port,
            "grpc_port": grpc_port,
            "workers": workers,
            "engine": engine,
            "ray_address": ray_address,
            "envoy": False if no_envoy else None,
        }
        raise typer.Exit(serve(_settings(given)))

    @app.command("token")
    def token_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        user: Annotated[str, typer.Option(help="The account's identifier.")],
        tier: Annotated[Tier | None, typer.Option(help="Put the account on this tier.")] = None,
        data_dir: DataDir = None,
        hours: Annotated[
            float,
            typer.Option(help="How long the token holds.", min=0.01, max=MAXIMUM_LIFETIME_HOURS),
        ] = DEFAULT_LIFETIME_HOURS,
    ) -> None:
        """Print a JWT for an account, which is made if need be."""
        settings = _settings({"data_dir": data_dir})
        _guarded(lambda: typer.echo(make_token(settings, user, tier, hours)))

    @app.command("run")
    def run_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        file: Annotated[Path, typer.Argument(help="An OpenQASM circuit; - is standard input.")],
        backend: Annotated[
            str | None, typer.Option(help="Backend to run on; QuantRouter chooses unless given.")
        ] = None,
        shots: Annotated[
            int | None,
            typer.Option(help="Measurement shots. [default: 1024]", min=1, max=2**31 - 1),
        ] = None,
        server: Server = DEFAULT_SERVER,
        token: Token = None,
    ) -> None:
        """Submit a circuit, show its progress live, and print the histogram."""
        from quantcloud.cli.client import run_file

        _guarded(lambda: run_file(file, backend, shots, server, token))

    @app.command("watch")
    def watch_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        job: Annotated[str | None, typer.Argument(help="The job's id.")] = None,
        everything: Annotated[  # noqa: FBT002  # a flag, given by name
            bool, typer.Option("--all", help="All jobs of the account.")
        ] = False,
        server: Server = DEFAULT_SERVER,
        token: Token = None,
    ) -> None:
        """Show a job's changes live, or those of all jobs; reconnects by itself."""
        from quantcloud.cli.watch import watch

        if (job is None) != everything:
            raise typer.BadParameter("name a job, or give --all")
        _guarded(lambda: watch(job, server, token))

    @app.command("calibrate")
    def calibrate_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        data_dir: DataDir = None,
        seconds: Annotated[
            float, typer.Option(help="Measure for so long at most.", min=1, max=3600)
        ] = 45.0,
        show: Annotated[  # noqa: FBT002  # a flag, given by name
            bool, typer.Option("--show", help="Measure nothing; show what is known.")
        ] = False,
    ) -> None:
        """Measure how fast each simulator is on this machine, for QuantRouter to go by."""
        from quantcloud.cli import calibrate

        settings = _settings({"data_dir": data_dir})
        _guarded(
            lambda: calibrate.show(settings) if show else calibrate.calibrate(settings, seconds)
        )

    accounts = typer.Typer(help="Look at accounts and change them.", no_args_is_help=True)
    app.add_typer(accounts, name="account")

    @accounts.command("set-tier")
    def set_tier_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        user: User, tier: Annotated[Tier, typer.Argument()], data_dir: DataDir = None
    ) -> None:
        """Put an account on a tier; it holds from its next request on."""
        from quantcloud.cli import account

        settings = _settings({"data_dir": data_dir})
        _guarded(lambda: typer.echo(account.set_tier(settings, user, tier)))

    @accounts.command("show")
    def show_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        user: User, data_dir: DataDir = None
    ) -> None:
        """Show an account, and what it used of this month."""
        from quantcloud.cli import account

        settings = _settings({"data_dir": data_dir})
        _guarded(lambda: typer.echo(account.show(settings, user)))

    @app.command("demo")
    def demo_command() -> None:  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        """Start a server in a temporary folder, run two circuits, and stop it."""
        from quantcloud.cli.demo import demo

        _guarded(demo)

    _add_operations(app, front)
    return app


def _add_operations(app: typer.Typer, front: Callable[[Settings, Sequence[str]], int]) -> None:
    """What a host needs besides the server itself."""

    @app.command("envoy")
    def envoy_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        grpc: Annotated[
            list[str], typer.Option(help="HOST:PORT of a server; once for each server.")
        ],
        data_dir: DataDir = None,
        http_port: Annotated[
            int | None, typer.Option(help="Port of Envoy; 0 is any free one. [default: 8080]")
        ] = None,
    ) -> None:
        """Run Envoy alone in the foreground, in front of several servers on one database."""
        given: dict[str, Any] = {"data_dir": data_dir, "http_port": http_port}
        raise typer.Exit(front(_settings(given), grpc))

    @app.command("backup")
    def backup_command(  # pyright: ignore[reportUnusedFunction]  # typer keeps it
        file: Annotated[Path, typer.Argument(help="The copy, which must not be there yet.")],
        data_dir: DataDir = None,
    ) -> None:
        """Copy the SQLite database as it is at one moment, while the server runs too."""
        from quantcloud.cli.backup import backup

        settings = _settings({"data_dir": data_dir})
        _guarded(lambda: typer.echo(backup(settings, file)))


def not_text(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """What is wrong with an argument, or a setting, that is no text in UTF-8; empty if none is."""
    given = {f"argument {place}": value for place, value in enumerate(arguments, 1)}
    given |= {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    for name, value in given.items():
        if not _is_text(name) or not _is_text(value):
            return f"{name} is not a text in UTF-8: {value!r}"
    return ""


def _is_text(value: str) -> bool:
    # What Python made of bytes that are none.
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _tell_version(wanted: bool) -> None:  # noqa: FBT001  # typer's signature
    if wanted:
        typer.echo(f"quantcloud {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


def _every_command(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """TheQuantCloud: a quantum cloud that anyone can host."""


def _settings(given: dict[str, Any]) -> Settings:
    """Settings from the environment, with what the command line gave put over them."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        for fault in error.errors():
            place = ".".join(str(part) for part in fault["loc"])
            typer.echo(f"quantcloud: {place}: {fault['msg']}", err=True)
        raise typer.Exit(2) from error
    except SettingsError as error:
        typer.echo(f"quantcloud: {error}; is its variable's value JSON?", err=True)
        raise typer.Exit(2) from error


def _guarded(work: Callable[[], None]) -> None:
    """Run a command; a failure that a person can mend is one line and exit code 1."""
    try:
        work()
    except Failure as failure:
        typer.echo(f"quantcloud: {failure}", err=True)
        raise typer.Exit(1) from failure
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
