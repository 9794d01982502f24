"""The commands for an operator: the database and the settings."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantcloud.cli.host import accounts
from quantcloud.cli.host.command import ConfigFile, loading_server, on_host
from quantcloud.cli.launch import plain

if TYPE_CHECKING:
    from quantcloud.settings import Settings

_PANEL = "For operators"

app = typer.Typer()
app.add_typer(accounts.app, name="account", rich_help_panel=_PANEL)
configuration = typer.Typer(help="Show and check the server's settings.", no_args_is_help=True)
app.add_typer(configuration, name="config", rich_help_panel=_PANEL)


@on_host(app, "backup", rich_help_panel=_PANEL)
def backup(
    settings: "Settings",
    file: Annotated[Path, typer.Argument(help="The copy. This file must not exist yet.")],
) -> str:
    """Copy the SQLite database as it is at one moment. The server may be running."""
    with loading_server():
        from quantcloud.cli.host import backup

    return backup.backup(settings, file)


@on_host(app, "restore", rich_help_panel=_PANEL)
def restore(
    settings: "Settings",
    file: Annotated[Path, typer.Argument(help="A copy that `quantcloud backup` made.")],
    verify: Annotated[bool, typer.Option("--verify", help="Only check the copy.")] = False,  # noqa: FBT002  # a flag, given by name
) -> str:
    """Check a copy, and put it in the place of the SQLite database. The server must be stopped."""
    with loading_server():
        from quantcloud.cli.host import backup

    return backup.verify(file) if verify else backup.restore(settings, file, datetime.now(UTC))


@on_host(app, "migrate", rich_help_panel=_PANEL)
def migrate(
    settings: "Settings",
    check: Annotated[bool, typer.Option("--check", help="Change nothing.")] = False,  # noqa: FBT002  # a flag, given by name
) -> str:
    """Bring the database to this release. With --check, exit with 1 if it is not there."""
    with loading_server():
        from quantcloud.cli.host import migrate

    return migrate.check(settings) if check else migrate.migrate(settings)


@plain(configuration, "show")
def show_settings(
    *,
    config: ConfigFile = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only settings that are not at their default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting: its value, source, default and meaning. Secrets are masked."""
    with loading_server():
        from quantcloud.cli.host.configuration import read_settings, show

    show(read_settings({}, config), as_json=as_json, changed=changed)


@plain(configuration, "check")
def check_settings(config: ConfigFile = None) -> None:
    """Name every mistake in the settings, and what they name and cannot be reached."""
    with loading_server():
        from quantcloud.cli.host.configuration import check, read_settings

    raise typer.Exit(check(read_settings({}, config)))
