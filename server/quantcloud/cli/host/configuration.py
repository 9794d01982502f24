"""The settings of a command that runs on the server's machine, and `quantcloud config`.

A server imports this, so what only `quantcloud config` needs is imported where it is used.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from quantcloud.environment import CONFIG_FILE
from quantcloud.settings import Settings
from quantcloud.settings.loading import SettingsMistakes, Source, load, shown


def read_settings(options: Mapping[str, Any], file: Path | None = None) -> Settings:
    """Return the settings; an option that is not None replaces a variable.

    `file` replaces the file of the environment. Prints a line for each mistake, and exits with
    code 2.
    """
    if file is not None:
        os.environ[CONFIG_FILE] = str(file)
    try:
        return load(options)
    except SettingsMistakes as mistakes:
        for line in mistakes.args:
            typer.echo(f"quantcloud: {line}", err=True)
        raise typer.Exit(2) from mistakes


def check(settings: Settings) -> int:
    """Print what is wrong with settings that are valid, and return the exit code."""
    from quantcloud.cli.host.checks import advice, unreachable, unusable

    wrong = [*unusable(settings), *advice(settings), *asyncio.run(unreachable(settings))]
    for line in wrong:
        typer.echo(f"quantcloud: {line}", err=True)
    if not wrong:
        typer.echo("The settings are valid, and all that they name can be reached.")
    return 1 if wrong else 0


def show(settings: Settings, *, as_json: bool, changed: bool) -> None:
    """Print every setting, or only those that were changed: value, source, default, meaning."""
    from quantcloud.cli.tables import stdout, table

    rows = [each for each in shown(settings, {}) if not changed or each.source != Source.DEFAULT]
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in rows], indent=2))
        return
    console = stdout()
    for section, group in groupby(rows, lambda each: each.section):
        made = table("variable", "value", "source", "default", "meaning", title=section)
        for each in group:
            style = None if each.source is Source.DEFAULT else "bold"
            made.add(
                each.variable, each.value, each.source, each.default, each.meaning, style=style
            )
        console.print(made, "")
