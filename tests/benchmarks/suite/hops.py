"""The calls of a warm Bell job that cross from one room of the server to another."""

import asyncio
import json
import sys
from pathlib import Path

from benchmarks import hops
from benchmarks.figures import Finding, spread

_WHAT = {
    "hops": "calls from one room of server/quantcloud to another, by one warm Bell job",
    "callbacks": "the same jobs: calls from storage to scheduling and back, in a unit of work",
    "notifications": "the same jobs: such calls after a commit",
    "entries": "the same jobs: calls without a caller in server/quantcloud",
    "calls": "the same jobs: all calls in server/quantcloud",
    "files": "the same jobs: files with such a call",
}


async def run(rounds: int) -> list[Finding]:
    """Return the figures; they do not vary as times do, so `rounds` is not used."""
    del rounds
    # In its own process, because it profiles every call.
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(hops.__file__)), "--json",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"hops.py failed with exit code {process.returncode}")
    # The server logs to the same output; the figures are its last line.
    figures = json.loads(output.splitlines()[-1])
    return [
        Finding(
            f"hops {backend} {name}",
            what,
            spread([float(job[name]) for job in jobs]),
            hops.BUDGETS.get(name),
        )
        for backend, jobs in figures.items()
        for name, what in _WHAT.items()
    ]
