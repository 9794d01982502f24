"""The commands that run on the server's machine, besides those of `operator`."""

from typing import Annotated

import typer

from quantcloud.cli.launch import guarded, loading_server, with_settings
from quantcloud.cli.options import AdminPort, ConfigFile, DataDir, HttpPort, NoConsole
from quantcloud.domain.account import Tier

_PANEL = "On the server's machine"
_DEFAULT_LIFETIME_HOURS = 12.0
_MAXIMUM_LIFETIME_HOURS = 10 * 366 * 24.0

app = typer.Typer()


@app.command("serve", rich_help_panel=_PANEL)
def serve_command(
    *,
    data_dir: DataDir = None,
    http_port: HttpPort = None,
    grpc_port: Annotated[
        int | None,
        typer.Option(help="Port of the gRPC server; 0 means any free one. \\[default: 50051]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes. \\[default: one for each core]")
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="Where circuits run: local, or ray for a Ray cluster."),
    ] = None,
    ray_address: Annotated[
        str | None,
        typer.Option(help="HOST:PORT of the cluster's head. \\[default: that of this machine]"),
    ] = None,
    no_envoy: Annotated[bool, typer.Option("--no-envoy", help="Serve gRPC only.")] = False,
    no_console: NoConsole = False,
    admin_port: AdminPort = None,
    config: ConfigFile = None,
) -> None:
    """Run the server, its workers and Envoy in the foreground."""
    with loading_server():
        from quantcloud.cli.configuration import read_settings
        from quantcloud.foreground import serve

    settings = read_settings(
        {
            "data_dir": data_dir,
            "http_port": http_port,
            "grpc_port": grpc_port,
            "admin_port": admin_port,
            "workers": workers,
            "engine": engine,
            "ray_address": ray_address,
            "envoy": False if no_envoy else None,
            "console": False if no_console else None,
        },
        config,
    )
    raise typer.Exit(serve(settings))


@app.command("token", rich_help_panel=_PANEL)
def token_command(
    *,
    user: Annotated[str, typer.Option(help="The account's identifier.")],
    tier: Annotated[Tier | None, typer.Option(help="Put the account on this tier.")] = None,
    data_dir: DataDir = None,
    hours: Annotated[
        float,
        typer.Option(help="The token's lifetime in hours.", min=0.01, max=_MAXIMUM_LIFETIME_HOURS),
    ] = _DEFAULT_LIFETIME_HOURS,
    link: Annotated[
        bool,
        typer.Option("--link", help="Print a link to the web console that signs in, once."),
    ] = False,
    http_port: Annotated[
        int | None,
        typer.Option(help="The server's port, for the link. \\[default: 8080]", min=1, max=65535),
    ] = None,
) -> None:
    """Print a JWT for an account, and create the account if it does not exist."""
    with loading_server():
        from quantcloud.cli.token import make_link, make_token

    if link:
        with_settings(
            data_dir, lambda settings: make_link(settings, user, tier), http_port=http_port
        )
    else:
        with_settings(data_dir, lambda settings: make_token(settings, user, tier, hours))


@app.command("calibrate", rich_help_panel=_PANEL)
def calibrate_command(
    data_dir: DataDir = None,
    seconds: Annotated[
        float, typer.Option(help="The longest time to measure, in seconds.", min=1, max=3600)
    ] = 45.0,
    show: Annotated[  # noqa: FBT002  # a flag, given by name
        bool, typer.Option("--show", help="Measure nothing; show the saved figures.")
    ] = False,
) -> None:
    """Measure how fast each simulator is on this machine, for QuantRouter's predictions."""
    with loading_server():
        from quantcloud.cli import calibrate

    with_settings(
        data_dir,
        calibrate.show if show else lambda settings: calibrate.calibrate(settings, seconds),
    )


@app.command("demo", rich_help_panel=_PANEL)
def demo_command() -> None:
    """Start a server in a temporary folder, run two circuits, and stop it."""
    with loading_server():
        from quantcloud.cli.demo import demo

    guarded(demo)


@app.command("envoy", rich_help_panel=_PANEL)
def envoy_command(
    *,
    grpc: Annotated[list[str], typer.Option(help="HOST:PORT of a server; once for each server.")],
    data_dir: DataDir = None,
    http_port: HttpPort = None,
    no_console: NoConsole = False,
    admin_port: AdminPort = None,
    config: ConfigFile = None,
) -> None:
    """Run Envoy alone in the foreground, in front of several servers on one database."""
    with loading_server():
        from quantcloud.cli.configuration import read_settings
        from quantcloud.foreground import front

    settings = read_settings(
        {
            "data_dir": data_dir,
            "http_port": http_port,
            "admin_port": admin_port,
            "console": False if no_console else None,
        },
        config,
    )
    raise typer.Exit(front(settings, grpc))
