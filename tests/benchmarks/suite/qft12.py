"""The Fourier transform of 12 qubits on local_simulator compared with bare Aer."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.workloads import QFT_12, SHOTS

RUNS = 50


async def run(rounds: int) -> list[Finding]:
    async with (
        Contestant("executor", confined=True, backend="local_simulator", method="statevector",
                   qasm=QFT_12, shots=SHOTS) as local,
        # One thread is faster for Aer, too.
        Contestant("aer", confined=True, qasm=QFT_12, shots=SHOTS) as aer,
    ):  # fmt: skip

        async def ours() -> float:
            return spread(await local.durations(RUNS)).median * 1e3

        async def bare() -> float:
            return spread(await aer.durations(RUNS)).median * 1e3

        times = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "qft12",
            "QFT on 12 qubits: parsed, run, counted on local_simulator "
            "/ AerSimulator.run and get_counts of a circuit made and transpiled before",
            ours=times["ours"],
            bare=times["bare"],
            unit="ms",
            target=Target("<", 1),
        )
    ]
