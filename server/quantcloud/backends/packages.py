"""Whether the packages that a backend runs on are installed."""

import sys
from importlib.util import find_spec


def missing(*modules: str) -> str | None:
    """Why a backend that needs these top-level modules is offline; None where all are there.

    Imports none of them.
    """
    for module in modules:
        if find_spec(module) is None:
            python = ".".join(map(str, sys.version_info[:2]))
            return f"the package {module} is not installed for this Python, {python}"
    return None
