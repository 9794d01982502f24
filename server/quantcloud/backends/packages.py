"""The packages that a backend needs: whether they are installed, and their versions."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import SIMULATOR_VERSION


def missing(*modules: str) -> str | None:
    """Return which of these top-level modules is not installed, as a reason; None if all are.

    It imports none of them.
    """
    for module in modules:
        if find_spec(module) is None:
            python = ".".join(map(str, sys.version_info[:2]))
            return f"the package {module} is not installed for this Python, {python}"
    return None


def with_versions(outcome: Outcome, packages: tuple[str, ...]) -> Outcome:
    """Add the installed versions of `packages` to the metadata of an outcome."""
    if not (versions := _versions(packages)):
        return outcome
    return replace(outcome, metadata={**outcome.metadata, SIMULATOR_VERSION: versions})


@cache
def _versions(packages: Sequence[str]) -> str:
    """Return the packages with their versions. Packages that are not installed are left out."""
    found: list[str] = []
    for package in packages:
        with suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return ", ".join(found)
