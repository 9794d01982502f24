"""The commands that run a server, and those that help its users to start."""

from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.host.command import (
    AdminPort,
    ConfigFile,
    DataDir,
    HttpPort,
    NoConsole,
    loading_server,
    on_host,
)
from quantcloud.cli.launch import plain
from quantcloud.domain.account import Tier

if TYPE_CHECKING:
    from quantcloud.settings import Settings

_PANEL = "On the server's machine"
_DEFAULT_LIFETIME_HOURS = 12.0
_MAXIMUM_LIFETIME_HOURS = 10 * 366 * 24.0

app = typer.Typer()


@plain(app, "serve", rich_help_panel=_PANEL)
def serve(
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
        from quantcloud import foreground
        from quantcloud.cli.host.configuration import read_settings

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
    raise typer.Exit(foreground.serve(settings))


@on_host(app, "token", rich_help_panel=_PANEL)
def token(
    settings: "Settings",
    *,
    user: Annotated[str, typer.Option(help="The account's identifier.")],
    tier: Annotated[
        Tier | None, typer.Option(help="Put the account on this tier.", metavar="TIER")
    ] = None,
    hours: Annotated[
        float,
        typer.Option(help="The token's lifetime in hours.", min=0.01, max=_MAXIMUM_LIFETIME_HOURS),
    ] = _DEFAULT_LIFETIME_HOURS,
    link: Annotated[
        bool, typer.Option("--link", help="Print a link to the web console that signs in, once.")
    ] = False,
) -> str:
    """Print a JWT for an account, and create the account if it does not exist."""
    with loading_server():
        from quantcloud.cli.host.token import make_link, make_token

    if link:
        return make_link(settings, user, tier)
    return make_token(settings, user, tier, hours)


@on_host(app, "calibrate", rich_help_panel=_PANEL)
def calibrate(
    settings: "Settings",
    *,
    seconds: Annotated[
        float, typer.Option(help="The longest time to measure, in seconds.", min=1, max=3600)
    ] = 45.0,
    show: Annotated[
        bool, typer.Option("--show", help="Measure nothing; show the saved figures.")
    ] = False,
) -> None:
    """Measure how fast each simulator is on this machine, for QuantRouter's predictions."""
    with loading_server():
        from quantcloud.cli.host import calibrate

    if show:
        calibrate.show(settings)
    else:
        calibrate.calibrate(settings, seconds)


@plain(app, "demo", rich_help_panel=_PANEL)
def demo() -> None:
    """Start a server in a temporary folder, run two circuits, and stop it."""
    with loading_server():
        from quantcloud.cli.host.demo import demo

    demo()


@plain(app, "envoy", rich_help_panel=_PANEL)
def envoy(
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
        from quantcloud import foreground
        from quantcloud.cli.host.configuration import read_settings

    settings = read_settings(
        {
            "data_dir": data_dir,
            "http_port": http_port,
            "admin_port": admin_port,
            "console": False if no_console else None,
        },
        config,
    )
    raise typer.Exit(foreground.front(settings, grpc))
