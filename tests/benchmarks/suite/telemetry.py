"""The processor time of metrics and logs, for each job."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Finding, Target, confident, spread
from benchmarks.programs.switched import MODES, SLICE
from benchmarks.service import many, serving
from benchmarks.workloads import BELL

BACKEND = "local_simulator"
# One at a time, so that no work of other jobs is shared: this is when metrics and logs cost most.
IN_FLIGHT = 1
# With 7 rounds, 20,000 jobs.
REPEATS = 38
# What each adds, and to what.
COMPARED = {
    "metrics": ("metrics", "neither", Target("<=", 20)),
    "logs": ("both", "metrics", Target("<=", 30)),
}


async def run(rounds: int) -> list[Finding]:
    # One round more, to warm up.
    number = (REPEATS * rounds + 1) * len(MODES) * SLICE
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        output = Path(folder) / "slices"
        program = ("benchmarks.programs.switched", str(output))
        async with serving("--no-envoy", program=program) as client:
            await many(lambda: client.run_and_watch(BELL, BACKEND), number, IN_FLIGHT)
        found = _rounds(output.read_text().splitlines())[1:]
    return [
        _finding(name, found, added, to, target) for name, (added, to, target) in COMPARED.items()
    ]


def _rounds(lines: Sequence[str]) -> list[Mapping[str, float]]:
    """Return each round's microseconds a job by mode. Each mode has one slice in a round."""
    slices = [(mode, int(used) / SLICE / 1000) for mode, used in map(str.split, lines)]
    return [
        dict(slices[first : first + len(MODES)])
        for first in range(0, len(slices) - len(MODES) + 1, len(MODES))
    ]


def _finding(
    name: str, rounds: Sequence[Mapping[str, float]], added: str, to: str, target: Target
) -> Finding:
    return Finding(
        f"telemetry {name}",
        f"microseconds of processor time that {name} add to a Bell job on {BACKEND}, with "
        "RunAndWatch: median of differences [its 95 % confidence interval]",
        confident([each[added] - each[to] for each in rounds], "us"),
        target,
        spread([each[added] for each in rounds], "us"),
        spread([each[to] for each in rounds], "us"),
    )
