"""Reads the settings, and names every mistake by its variable, option or key."""

import json
import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr, ValidationError

from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.value_object import value_object
from quantcloud.environment import (
    CONFIG_FILE,
    PREFIX,
    forget_injected,
    nearest,
    unknown_variables,
)
from quantcloud.settings.fields import SECTIONS, Settings
from quantcloud.settings.tiers import changed_limits

_MASK = "********"


class SettingsMistakes(Exception):  # it holds several
    """The settings are wrong. `args` has a line for each mistake."""


class Source(StrEnum):
    """Where a value comes from."""

    OPTION = "option"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@value_object
class Shown:
    """A setting for people. A secret's value is masked."""

    variable: str
    section: str
    value: str
    source: Source
    default: str
    meaning: str


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load(options: Mapping[str, Any]) -> Settings:
    """Return the settings of the options that are not None, the environment and the file.

    Raises `SettingsMistakes` with every mistake that can be seen without the network.
    """
    forget_injected(cast("dict[str, str]", os.environ))
    given = {name: value for name, value in options.items() if value is not None}
    fields = Settings.model_fields
    mistakes = unknown_variables(os.environ, [variable(name) for name in fields])
    file = _file()
    mistakes += [
        f"{os.environ[CONFIG_FILE]}: {key} is no setting" + nearest(key, list(fields))
        for key in file
        if key not in fields
    ]
    try:
        settings = Settings(**given)
    except ValidationError as error:
        for fault in error.errors():
            mistakes += _lines(fault["loc"], fault["msg"], given, file)
    else:
        if not mistakes:
            return settings
    raise SettingsMistakes(*mistakes)


def shown(settings: Settings, options: Mapping[str, Any]) -> list[Shown]:
    """Return every setting, in the order of the sections."""
    given = {name for name, value in options.items() if value is not None}
    file = _file()
    return [
        Shown(
            variable(name),
            section(name),
            _text(name, getattr(settings, name)),
            _source(name, given, file),
            default_text(name),
            meaning(name).replace("`", ""),
        )
        for name in Settings.model_fields
    ]


def default_text(name: str) -> str:
    """Return a setting's default for people."""
    return _text(name, Settings.model_fields[name].default)


def meaning(name: str) -> str:
    """Return what a setting means, as Markdown on one line."""
    return " ".join((Settings.model_fields[name].description or "").split())


def section(name: str) -> str:
    """Return the heading under which a setting stands."""
    before = takewhile(lambda each: each != name, Settings.model_fields)
    return [SECTIONS[each] for each in (*before, name) if each in SECTIONS][-1]


def _source(name: str, options: set[str], file: Mapping[str, Any]) -> Source:
    if name in options:
        return Source.OPTION
    if os.environ.get(variable(name)):
        return Source.ENVIRONMENT
    return Source.FILE if name in file else Source.DEFAULT


def _text(name: str, value: Any) -> str:
    """Return a setting's value for people."""
    field = Settings.model_fields[name]
    if field.json_schema_extra and value == field.default:
        return str(cast("dict[str, str]", field.json_schema_extra)["is"]).replace("`", "")
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, Mapping):
        return json.dumps(changed_limits(cast("Mapping[Tier, TierLimits]", value)))
    if isinstance(value, float):
        return f"{value:.15g}"  # all digits of a number such as 31536000
    if isinstance(value, bool | tuple):
        return json.dumps(value)
    return _without_password(str(value))


def _without_password(text: str) -> str:
    """Mask the password of a URL."""
    scheme, separator, rest = text.partition("://")
    user, at, place = rest.rpartition("@")
    if not separator or not at or ":" not in user:
        return text
    return f"{scheme}://{user.partition(':')[0]}:{_MASK}@{place}"


def _file() -> Mapping[str, Any]:
    path = os.environ.get(CONFIG_FILE)
    if not path:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsMistakes(f"{CONFIG_FILE}: {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsMistakes(f"{path}: is no TOML: {error}") from error


def _lines(
    location: tuple[int | str, ...],
    message: str,
    options: Mapping[str, Any],
    file: Mapping[str, Any],
) -> list[str]:
    """Return the lines of one error of pydantic."""
    message = message.removeprefix("Value error, ")
    if not location:
        return message.splitlines()
    name, *inner = map(str, location)
    source = _source(name, set(options), file)
    if source is Source.OPTION:
        place = f"--{name.replace('_', '-')}"
    elif source is Source.FILE:
        place = f"{os.environ[CONFIG_FILE]}: {name}"
    else:
        place = variable(name)
    # A union's branch, such as `constrained-int`, says nothing to people.
    inner = [part for part in inner if not part.startswith(("constrained", "function"))]
    place = ".".join([place, *inner])
    return [f"{place}: {line[:1].lower()}{line[1:]}" for line in message.splitlines()]
