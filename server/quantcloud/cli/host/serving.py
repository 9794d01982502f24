"""The commands that run a server, and those that help its users to start."""

from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.host.command import ConfigFile, loading_server, on_host
from quantcloud.cli.launch import plain
from quantcloud.domain.account import Tier

if TYPE_CHECKING:
    from quantcloud.settings import Settings

_PANEL = "On the server's machine"
_DEFAULT_LIFETIME_HOURS = 12.0
_MAXIMUM_LIFETIME_HOURS = 10 * 366 * 24.0

app = typer.Typer()


_ENVOY = {
    "http_port": Annotated[
        int | None, typer.Option(help="Port of Envoy; 0 means any free one. \\[default: 8080]")
    ],
    "console": Annotated[
        bool | None, typer.Option(" /--no-console", help="Serve no web console at /.")
    ],
    "admin_port": Annotated[
        int | None,
        typer.Option(
            help="Port of /metrics; 0 means any free one. \\[default: 9464, or a free one]"
        ),
    ],
    "config": ConfigFile,
}
_SERVER = {
    "grpc_port": Annotated[
        int | None,
        typer.Option(help="Port of the gRPC server; 0 means any free one. \\[default: 50051]"),
    ],
    "workers": Annotated[
        int | None, typer.Option(help="Worker processes. \\[default: one for each core]")
    ],
    "engine": Annotated[
        str | None, typer.Option(help="Where circuits run: local, or ray for a Ray cluster.")
    ],
    "ray_address": Annotated[
        str | None,
        typer.Option(help="HOST:PORT of the cluster's head. \\[default: that of this machine]"),
    ],
    "envoy": Annotated[bool | None, typer.Option(" /--no-envoy", help="Serve gRPC only.")],
}


@on_host(app, "serve", _SERVER | _ENVOY, rich_help_panel=_PANEL)
def serve(settings: "Settings") -> None:
    """Run the server, its workers and Envoy in the foreground."""
    with loading_server():
        from quantcloud import foreground

    raise typer.Exit(foreground.serve(settings))


_LINK = {
    "http_port": Annotated[
        int | None,
        typer.Option(help="The server's port, for the link. \\[default: 8080]", min=1, max=65535),
    ],
}


@on_host(app, "token", _LINK, rich_help_panel=_PANEL)
def token(
    settings: "Settings",
    *,
    user: Annotated[str, typer.Option(help="The account's identifier.")],
    tier: Annotated[Tier | None, typer.Option(help="Put the account on this tier.")] = None,
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


@on_host(app, "envoy", _ENVOY, rich_help_panel=_PANEL)
def envoy(
    settings: "Settings",
    grpc: Annotated[list[str], typer.Option(help="HOST:PORT of a server; once for each server.")],
) -> None:
    """Run Envoy alone in the foreground, in front of several servers on one database."""
    with loading_server():
        from quantcloud import foreground

    raise typer.Exit(foreground.front(settings, grpc))
