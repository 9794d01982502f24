"""The time of each stage of a Bell job on an idle server, for information."""

from itertools import pairwise

from benchmarks.figures import Finding, spread
from benchmarks.service import serving
from benchmarks.workloads import BELL

JOBS = 40
WARM_UP = 20

# Each stage ends at the event of its name and starts at the event before.
_STAGES = {
    "submitted": "the call comes in, its sender is known",
    "analyzing": "the request is read",
    "routing": "the circuit is parsed and analysed",
    "queued": "the backend is chosen",
    "dispatched": "cores and memory are reserved",
    "running": "a worker gets the circuit",
    "completed": "the circuit is run, the answer is read",
    "result": "the job and its result are committed and sent to the watcher",
}


async def run(rounds: int) -> list[Finding]:
    findings: list[Finding] = []
    async with serving("--no-envoy") as client:
        for backend in ("local_simulator", "aer_simulator"):
            for _ in range(WARM_UP):
                await client.run_and_watch(BELL, backend)
            jobs = [await client.run_and_watch(BELL, backend) for _ in range(JOBS * rounds)]
            moments = [
                {"call": job.submitting, **await client.times(job.id), "result": job.result}
                for job in jobs
            ]
            for before, after in pairwise(("call", *_STAGES)):
                times = [(each[after] - each[before]) * 1e3 for each in moments]
                findings.append(
                    Finding(f"stages {backend} {after}", _STAGES[after], spread(times, "ms"))
                )
            whole = [job.seconds * 1e3 for job in jobs]
            findings.append(
                Finding(f"stages {backend} all", "from the call to the result", spread(whole, "ms"))
            )
    return findings
