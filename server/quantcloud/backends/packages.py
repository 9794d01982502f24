"""Checks whether the packages that a backend needs are installed."""

import sys
from importlib.util import find_spec


def missing(*modules: str) -> str | None:
    """Return which of these top-level modules is not installed, as a reason; None if all are.

    It imports none of them.
    """
    for module in modules:
        if find_spec(module) is None:
            python = ".".join(map(str, sys.version_info[:2]))
            return f"the package {module} is not installed for this Python, {python}"
    return None
