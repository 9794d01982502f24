"""The settings of a command that runs on the server's machine."""

from collections.abc import Mapping
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from quantcloud.settings import Settings


def read_settings(given: Mapping[str, Any]) -> Settings:
    """Return the environment's settings, replaced by the values in `given` that are not None.

    Prints a line for each invalid setting, and exits with code 2.
    """
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
