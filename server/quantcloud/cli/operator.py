"""The commands for an operator: accounts, keys, settings, and the database."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from quantcloud.cli.launch import loading_server, with_settings
from quantcloud.cli.options import ConfigFile, DataDir, User
from quantcloud.domain.account import Tier

_PANEL = "For operators"

app = typer.Typer()
accounts = typer.Typer(
    help="Show, export and delete accounts, and revoke their keys.", no_args_is_help=True
)
app.add_typer(accounts, name="account", rich_help_panel=_PANEL)
configuration = typer.Typer(help="Show and check the server's settings.", no_args_is_help=True)
app.add_typer(configuration, name="config", rich_help_panel=_PANEL)


@accounts.command("set-tier")
def set_tier_command(
    user: User, tier: Annotated[Tier, typer.Argument()], data_dir: DataDir = None
) -> None:
    """Put an account on a tier, from its next request on."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, lambda settings: account.set_tier(settings, user, tier))


@accounts.command("show")
def show_command(user: User, data_dir: DataDir = None) -> None:
    """Show an account and its usage this month."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, lambda settings: account.show(settings, user))


@accounts.command("list")
def list_accounts_command(data_dir: DataDir = None) -> None:
    """List all accounts: tier, number of jobs, since when, e-mail address."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, account.list_accounts)


@accounts.command("export")
def export_command(
    user: User,
    file: Annotated[Path, typer.Argument(help="A new file, for JSON lines.")],
    data_dir: DataDir = None,
) -> None:
    """Write all data of an account to a file: usage, keys, circuits, jobs and results."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, lambda settings: account.export(settings, user, file))


@accounts.command("delete")
def delete_command(
    user: User,
    data_dir: DataDir = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002  # a flag, given by name
) -> None:
    """Delete an account with its jobs, results, circuits and keys. Runs are cancelled."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, lambda settings: account.delete(settings, user, ask=not yes))


@accounts.command("revoke-key")
def revoke_key_command(
    key: Annotated[str, typer.Argument(help="The key's id, or the key itself.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke an API key of any account, such as one that leaked."""
    with loading_server():
        from quantcloud.cli import account

    with_settings(data_dir, lambda settings: account.revoke_key(settings, key))


@app.command("backup", rich_help_panel=_PANEL)
def backup_command(
    file: Annotated[Path, typer.Argument(help="The copy. This file must not exist yet.")],
    data_dir: DataDir = None,
) -> None:
    """Copy the SQLite database as it is at one moment. The server may be running."""
    with loading_server():
        from quantcloud.cli.backup import backup

    with_settings(data_dir, lambda settings: backup(settings, file))


@app.command("restore", rich_help_panel=_PANEL)
def restore_command(
    file: Annotated[Path, typer.Argument(help="A copy that `quantcloud backup` made.")],
    data_dir: DataDir = None,
    verify: Annotated[bool, typer.Option("--verify", help="Only check the copy.")] = False,  # noqa: FBT002  # a flag, given by name
) -> None:
    """Check a copy, and put it in the place of the SQLite database. The server must be stopped."""
    with loading_server():
        from quantcloud.cli import backup

    now = datetime.now(UTC)
    with_settings(
        data_dir,
        lambda settings: backup.verify(file) if verify else backup.restore(settings, file, now),
    )


@app.command("migrate", rich_help_panel=_PANEL)
def migrate_command(
    data_dir: DataDir = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing.")] = False,  # noqa: FBT002  # a flag, given by name
) -> None:
    """Bring the database to this release. With --check, exit with 1 if it is not there."""
    with loading_server():
        from quantcloud.cli import migrate

    with_settings(data_dir, migrate.check if check else migrate.migrate)


@configuration.command("show")
def config_show_command(
    *,
    config: ConfigFile = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only settings that are not at their default.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every setting: its value, source, default and meaning. Secrets are masked."""
    with loading_server():
        from quantcloud.cli.configuration import read_settings, show

    show(read_settings({}, config), as_json=as_json, changed=changed)


@configuration.command("check")
def config_check_command(config: ConfigFile = None) -> None:
    """Name every mistake in the settings, and what they name and cannot be reached."""
    with loading_server():
        from quantcloud.cli.configuration import check, read_settings

    raise typer.Exit(check(read_settings({}, config)))
