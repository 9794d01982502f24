"""Bell jobs over gRPC, many in flight, each watched to its result, over bare loops."""

import time

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import Client, bare_arguments, serving
from benchmarks.workloads import BELL, SHOTS

IN_FLIGHT = 64
JOBS = 256
# How many circuits a bare loop runs in a round.
BARE = {"aer_simulator": 500, "local_simulator": 3000}
TARGET = Target(">=", 0.8)
WHAT = f"Bell jobs a second over gRPC, {IN_FLIGHT} in flight, each watched to its result / "


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:
        return [
            *await _compared(client, "aer_simulator", rounds),
            *await _compared(client, "local_simulator", rounds),
        ]


async def _compared(client: Client, backend: str, rounds: int) -> list[Finding]:
    """Against the executor that the workers have and, for Aer, Qiskit as it comes."""
    count = BARE[backend]
    async with (
        Contestant("executor", confined=True, **bare_arguments(backend)) as executor,
        Contestant("qiskit", confined=True, qasm=BELL, shots=SHOTS) as qiskit,
    ):

        async def ours() -> float:
            began = time.perf_counter()
            await client.run_many(BELL, backend, JOBS, IN_FLIGHT)
            return JOBS / (time.perf_counter() - began)

        async def bare() -> float:
            return count / await executor.seconds(count)

        async def users() -> float:
            return count / await qiskit.seconds(count)

        sides = {"ours": ours, "bare": bare}
        if backend == "aer_simulator":
            sides["users"] = users
        rates = await interleaved(sides, rounds)
    found = [
        ratio(
            f"throughput {backend} executor",
            WHAT + "the workers' own executor in a loop: parsed, run, counted",
            ours=rates["ours"],
            bare=rates["bare"],
            unit="/s",
        )
    ]
    if "users" in rates:
        found.insert(
            0,
            ratio(
                f"throughput {backend}",
                WHAT + "Qiskit and Aer in a loop: parsed, run, counted",
                ours=rates["ours"],
                bare=rates["users"],
                unit="/s",
                target=TARGET,
            ),
        )
    return found
