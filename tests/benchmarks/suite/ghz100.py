"""A GHZ state on 100 qubits, on the backend that the router chooses."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, spread
from benchmarks.programs.routed import chosen
from benchmarks.rounds import interleaved
from benchmarks.workloads import GHZ_100, SHOTS
from quantcloud.domain.execution import Execution
from quantcloud.domain.job import OptimizationTarget
from quantcloud.engine.local import LocalEngine

RUNS = 20
TIME_LIMIT = 60.0


async def run(rounds: int) -> list[Finding]:
    backend, method = chosen(GHZ_100, SHOTS, OptimizationTarget.BALANCED)
    engine = LocalEngine(workers=1)
    await engine.start()
    try:
        async with Contestant("stim", num_qubits=100, shots=SHOTS) as stim:

            async def ours() -> float:
                times = [await _execution_ms(engine, backend, method, seed) for seed in range(RUNS)]
                return spread(times).median

            async def bare() -> float:
                return spread(await stim.durations(RUNS)).median * 1e3

            times = await interleaved({"ours": ours, "bare": bare}, rounds)
    finally:
        await engine.stop()
    return [
        Finding(
            "ghz100",
            f"execution_time_ms of GHZ on 100 qubits on {backend} ({method}); bare: Stim's sampler",
            spread(times["ours"], "ms"),
            Target("<=", 10),
            spread(times["ours"], "ms"),
            spread(times["bare"], "ms"),
        )
    ]


async def _execution_ms(engine: LocalEngine, backend: str, method: str, seed: int) -> float:
    execution = Execution("job", backend, method, GHZ_100, SHOTS, seed)
    outcome = await engine.execute(execution, time_limit=TIME_LIMIT, on_start=lambda: None)
    if set(outcome.counts) != {"0" * 100, "1" * 100}:
        raise AssertionError(outcome.counts)
    return outcome.execution_time_ms
