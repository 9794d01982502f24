"""A random circuit of 20 qubits and 20 layers on the fastest backend, compared with qsimcirq."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio, spread
from benchmarks.programs.routed import chosen
from benchmarks.rounds import interleaved
from benchmarks.workloads import RANDOM_20, RANDOM_20_GATES, SHOTS
from quantcloud.domain.job import OptimizationTarget

RUNS = 7


async def run(rounds: int) -> list[Finding]:
    backend, method = chosen(RANDOM_20, SHOTS, OptimizationTarget.SPEED)
    async with (
        Contestant("executor", confined=True, backend=backend, method=method,
                   qasm=RANDOM_20, shots=SHOTS) as executor,
        Contestant("qsim", num_qubits=20, gates=RANDOM_20_GATES, shots=SHOTS) as qsim,
    ):  # fmt: skip

        async def ours() -> float:
            return spread(await executor.durations(RUNS)).median * 1e3

        async def bare() -> float:
            return spread(await qsim.durations(RUNS)).median * 1e3

        times = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "random20",
            f"random circuit, 20 qubits, depth 20: parsed, run, counted on {backend} ({method}) "
            "/ simulated and sampled by qsimcirq, made before",
            ours=times["ours"],
            bare=times["bare"],
            unit="ms",
            target=Target("<=", 1.3),
        )
    ]
