"""Where a Bell job's time goes on a quiet server, stage by stage; for information."""

from collections.abc import Callable
from itertools import pairwise

from benchmarks.figures import Finding, spread
from benchmarks.service import Watched, serving
from benchmarks.workloads import BELL

JOBS = 40
WARM_UP = 20

# From the moment on the left to the one on the right; both are moments of `Watched`.
_MOMENTS: dict[str, Callable[[Watched], float]] = {
    "call": lambda job: job.submitting,
    **{
        status: lambda job, status=status: job.events[status]
        for status in (
            "submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"
        )
    },
    "result": lambda job: job.result,
}  # fmt: skip
_WHAT = {
    "submitted": "the request comes in, its sender is known, the circuit is parsed and routed",
    "analyzing": "the job is committed and the scheduler hears of it",
    "routing": "its analysis is read",
    "queued": "the queues' figures are read, the backend is chosen",
    "dispatched": "the choice is committed, the dispatcher wakes",
    "running": "the claim is committed, a worker begins",
    "completed": "the worker runs it, the beginning is committed",
    "result": "the result is committed, read and sent to the watcher",
}


async def run(rounds: int) -> list[Finding]:
    findings: list[Finding] = []
    async with serving("--no-envoy") as client:
        for backend in ("local_simulator", "aer_simulator"):
            for _ in range(WARM_UP):
                await client.run(BELL, backend)
            jobs = [await client.run(BELL, backend, story=True) for _ in range(JOBS * rounds)]
            moments = list(_MOMENTS)
            for before, after in pairwise(moments):
                times = [(_MOMENTS[after](job) - _MOMENTS[before](job)) * 1e3 for job in jobs]
                findings.append(
                    Finding(f"stages {backend} {after}", _WHAT[after], spread(times, "ms"))
                )
            answers = [(job.answered - job.submitting) * 1e3 for job in jobs]
            findings.append(
                Finding(
                    f"stages {backend} answer",
                    "from the call to the answer of RunCircuit, which the stages overlap",
                    spread(answers, "ms"),
                )
            )
            whole = [job.seconds * 1e3 for job in jobs]
            findings.append(
                Finding(f"stages {backend} all", "from the call to the result", spread(whole, "ms"))
            )
    return findings
