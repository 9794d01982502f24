"""The environment variables and arguments that the command reads."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

PREFIX = "QUANTCLOUD_"
CONFIG_FILE = f"{PREFIX}CONFIG"
"""Names a TOML file with settings of the server."""
CLIENT = frozenset({f"{PREFIX}SERVER", f"{PREFIX}TOKEN", f"{PREFIX}CA_FILE"})
"""The variables of commands for a remote server."""

# What Kubernetes sets in each container for a service called `quantcloud` or `quantcloud-...`:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_INJECTED = re.compile(r".*_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)")
_INJECTED_URL = re.compile(r"(tcp|udp|sctp)://.*")

RENAMED = {"sweep_seconds": "lease_check_seconds"}
"""Former names of settings, each with the present one."""


def forget_injected(environment: dict[str, str]) -> None:
    """Remove what Kubernetes sets for a service of this name: addresses, and no settings."""
    for name in [name for name, value in environment.items() if is_injected(name, value)]:
        del environment[name]


def is_injected(name: str, value: str) -> bool:
    """Whether Kubernetes set a variable. `QUANTCLOUD_GRPC_PORT=tcp://...` is one, too."""
    if not name.startswith(PREFIX):
        return False
    url = name.endswith("PORT") and _INJECTED_URL.fullmatch(value) is not None
    return url or _INJECTED.fullmatch(name) is not None


def unknown_variables(environment: Mapping[str, str], known: Collection[str]) -> list[str]:
    """Return a message for each `QUANTCLOUD_...` variable that nothing reads."""
    expected = {*known, *CLIENT, CONFIG_FILE}
    return [
        f"{name} is no setting" + nearest(name, known)
        for name, value in sorted(environment.items())
        if name.startswith(PREFIX) and name not in expected and not is_injected(name, value)
    ]


def nearest(name: str, known: Collection[str]) -> str:
    """Return advice that names what `name` is called now, or else a similar one of `known`."""
    # The prefix that all share would make them all similar.
    bare = {each.removeprefix(PREFIX).lower(): each for each in known}
    wanted = name.removeprefix(PREFIX).lower()
    if wanted in RENAMED:
        return f"; it is now called {bare[RENAMED[wanted]]}"
    found = get_close_matches(wanted, bare, n=1, cutoff=0.7)
    return f"; did you mean {bare[found[0]]}?" if found else "; see `quantcloud config show`"


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
