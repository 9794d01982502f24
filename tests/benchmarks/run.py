"""Runs the benchmarks: `python tests/benchmarks/run.py`, or `make bench`."""

import argparse
import asyncio
import pkgutil
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benchmarks import machine, report, suite  # noqa: E402 (after the path)
from benchmarks.figures import Finding  # noqa: E402 (after the path)

DEFAULT_OUTPUT = ROOT / ".build" / "bench.json"
# All benchmarks then take less than ten minutes.
ROUNDS = 3


def names() -> list[str]:
    """Return the names of all benchmarks, which are their modules' names."""
    return sorted(module.name for module in pkgutil.iter_modules(suite.__path__))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=names(), default=[], help="run only these")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each comparison")
    parser.add_argument("--json", type=Path, default=DEFAULT_OUTPUT, help="where to write figures")
    parser.add_argument("--compare", type=Path, help="figures of an earlier run")
    parsed = parser.parse_args()
    if parsed.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return parsed


def say(text: str = "") -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the benchmarks. Return 1 if one failed to run, and 0 otherwise, even for bad figures."""
    given = arguments()
    old = report.read(given.compare) if given.compare else None
    about = machine.about()
    say(f"{about['cores']} cores, Python {about['python']}; figures are median [quartiles]")
    findings: list[Finding] = []
    broken: list[str] = []
    started = time.monotonic()
    for name in given.only or names():
        began = time.monotonic()
        try:
            with machine.neighbours() as others:
                found = asyncio.run(import_module(f"benchmarks.suite.{name}").run(given.rounds))
        except Exception:  # noqa: BLE001 (the others still run)
            traceback.print_exc()
            broken.append(name)
            continue
        findings += found
        seconds = time.monotonic() - began
        say(f"\n{name} ({seconds:.0f} s; {others})")
        for finding in found:
            say(report.described(finding))
    say(f"\n{time.monotonic() - started:.0f} s in all")
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(report.as_json(about, findings))
    if old is not None:
        say(f"\nSince {given.compare} (* where the quartiles do not overlap):")
        say(report.changes(old, findings))
    if broken:
        say(f"\nBroken: {', '.join(broken)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
