"""A circuit of 24 qubits in the whole service compared with the fastest bare simulator."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.programs.routed import chosen
from benchmarks.rounds import interleaved
from benchmarks.service import serving
from benchmarks.workloads import RANDOM_24, RANDOM_24_GATES, SHOTS
from quantcloud.domain.job import OptimizationTarget


async def run(rounds: int) -> list[Finding]:
    backend, method = chosen(RANDOM_24, SHOTS, OptimizationTarget.SPEED)
    async with (
        serving("--no-envoy") as client,
        Contestant("qsim", confined=True, num_qubits=24, gates=RANDOM_24_GATES,
                   shots=SHOTS) as qsim,
    ):  # fmt: skip

        async def ours() -> float:
            return (await client.run(RANDOM_24, backend)).seconds * 1e3

        async def bare() -> float:
            return await qsim.seconds(1) * 1e3

        times = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "random24",
            "random circuit, 24 qubits, depth 20: from submission to the result at the watcher "
            f"on {backend} ({method}) / simulated and sampled by qsimcirq, made before",
            ours=times["ours"],
            bare=times["bare"],
            unit="ms",
            target=Target("<=", 1.05),
        )
    ]
