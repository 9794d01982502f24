"""Results with very many outcomes arrive complete and do not block the event loop."""

import tempfile
import time
from pathlib import Path

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, spread
from benchmarks.service import serving

OUTCOMES = 100_000
# Few rounds, because each takes seconds.
ROUNDS = 5


async def run(rounds: int) -> list[Finding]:
    seconds: list[float] = []
    longest: list[float] = []
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        gaps = Path(folder) / "gaps"
        async with (
            serving(program=("benchmarks.programs.watchdog", str(gaps))) as client,
            Contestant(
                "many_outcomes",
                grpc=client.endpoints.grpc,
                http=client.endpoints.http,
                token=client.token,
                outcomes=OUTCOMES,
            ) as fetching,
        ):
            await fetching.seconds(1)
            for _ in range(min(rounds, ROUNDS)):
                began = time.monotonic()
                seconds.append(await fetching.seconds(1))
                longest.append(longest_gap(gaps, began))
    return [
        Finding(
            "outcomes",
            f"a job of {OUTCOMES} distinct outcomes, from submission until its result has come "
            "by WatchJob, by GetJobResult, over REST and over SSE, each whole",
            spread(seconds, "s"),
        ),
        Finding(
            "outcomes blocked",
            "for how long at a time the server's event loop did nothing else meanwhile, at most",
            spread([max(longest)], "ms"),
            Target("<=", 20),
        ),
    ]


def longest_gap(gaps: Path, since: float) -> float:
    """Return the watchdog's longest delay since `since`, in milliseconds."""
    lines = (map(float, line.split()) for line in gaps.read_text().splitlines())
    return max((gap for at, gap in lines if at >= since), default=0.0) * 1e3
