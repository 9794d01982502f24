"""Check that all dependencies have wheels for each version of Python, on Linux with glibc 2.31.

A package without a wheel needs a compiler when users install it. The wheels are neither installed
nor tested. `UV_DEFAULT_INDEX` names another package registry.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def resolve(python: str) -> str:
    """Return what is missing for a version of Python, or "" if nothing is."""
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--all-extras",
         "--python-version", python, "--python-platform", "x86_64-manylinux_2_31",
         "--only-binary", ":all:", "pyproject.toml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() if done.returncode else ""


def main() -> int:
    """Resolve for all versions at once, because each waits for the registry."""
    with ThreadPoolExecutor(len(PYTHONS)) as pool:
        faults = dict(zip(PYTHONS, pool.map(resolve, PYTHONS), strict=True))
    for python, fault in faults.items():
        print(f"Python {python}: {fault or 'a wheel of every dependency'}")
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
