"""The environment variables and arguments that the command reads."""

from collections.abc import Mapping, Sequence

PREFIX = "QUANTCLOUD_"


def not_text(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return a message about an argument or a setting that is not UTF-8, or "" if all are."""
    given = {f"argument {place}": value for place, value in enumerate(arguments, 1)}
    given |= {name: value for name, value in environment.items() if name.startswith(PREFIX)}
    for name, value in given.items():
        if not _is_text(name) or not _is_text(value):
            return f"{name} is not UTF-8 text: {value!r}"
    return ""


def _is_text(value: str) -> bool:
    # Python decodes bytes that are not UTF-8 to these surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in value)
