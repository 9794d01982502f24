"""Find a wheel of every dependency for each Python that people have, on Linux with glibc 2.31.

A package that has none would need a compiler at set-up. What is found is neither installed nor
tested. It asks the package registry; `UV_DEFAULT_INDEX` names another one.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def resolve(python: str) -> str:
    """Say what cannot be had for a version of Python; "" where all can."""
    done = subprocess.run(  # noqa: S603  # our own arguments
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--all-extras",
         "--python-version", python, "--python-platform", "x86_64-manylinux_2_31",
         "--only-binary", ":all:", "pyproject.toml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() if done.returncode else ""


def main() -> int:
    """Resolve for every version at once, since each waits for the registry."""
    with ThreadPoolExecutor(len(PYTHONS)) as pool:
        faults = dict(zip(PYTHONS, pool.map(resolve, PYTHONS), strict=True))
    for python, fault in faults.items():
        print(f"Python {python}: {fault or 'a wheel of every dependency'}")
    return int(any(faults.values()))


if __name__ == "__main__":
    sys.exit(main())
