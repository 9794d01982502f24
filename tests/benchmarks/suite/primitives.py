"""Sweeps in a worker compared with the libraries' own loops: no part of the service is measured."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio, spread
from benchmarks.programs.sweeps import Load
from benchmarks.rounds import Side, interleaved
from benchmarks.workloads import SHOTS

COUNTS = Load(8, 4, "y", points=1000)
VALUE = Load(12, 20, "y", terms=100)
GRADIENT = Load(10, 3, "yz", terms=10)
STEP = Load(4, 4, "yz", terms=15)


def _ours(load: Load, *, shots: int = SHOTS, gradient: bool = False) -> Contestant:
    return Contestant("executor_sweep", confined=True, load=load, shots=shots, gradient=gradient)


async def _times(
    sides: Mapping[str, Contestant], runs: int, rounds: int
) -> Mapping[str, Sequence[float]]:
    """Return the milliseconds of a run of each side, the median of each round."""
    async with AsyncExitStack() as stack:
        started = {name: await stack.enter_async_context(each) for name, each in sides.items()}

        def side(contestant: Contestant) -> Side:
            async def median() -> float:
                return spread(await contestant.durations(runs)).median * 1e3

            return median

        return await interleaved({name: side(each) for name, each in started.items()}, rounds)


async def run(rounds: int) -> list[Finding]:
    counts = await _times(
        {
            "ours": _ours(COUNTS),
            "aer": Contestant("aer_binds", confined=True, load=COUNTS, shots=SHOTS),
            "qsim": Contestant("qsim_sweep", confined=True, load=COUNTS, shots=SHOTS),
        },
        1,
        min(rounds, 3),
    )
    what = "1,000 points of 8 qubits, 4 layers of ry and cx, 1,024 shots each, counted"
    found = [
        ratio(f"primitives {name}", f"{what} / {against}", ours=counts["ours"], bare=counts[name],
              unit="ms", target=Target("<=", 0.25))
        for name, against in (("aer", "Aer's parameter_binds"), ("qsim", "qsim's run_sweep"))
    ]  # fmt: skip
    for name, load, gradient, bound, what in (
        ("value", VALUE, False, 0.25, "exact value of 100 terms, 12 qubits, 20 layers"),
        ("gradient", GRADIENT, True, 0.8, "value and gradient of 60 parameters, 10 qubits"),
        ("step", STEP, True, 1.0, "a step of VQE: 4 qubits, 32 parameters, 15 terms"),
    ):
        times = await _times(
            {
                "ours": _ours(load, gradient=gradient),
                "bare": Contestant("qnode", confined=True, load=load, gradient=gradient),
            },
            20,
            rounds,
        )
        found.append(
            ratio(f"primitives {name}", f"{what} / a QNode on lightning.qubit", ours=times["ours"],
                  bare=times["bare"], unit="ms", target=Target("<=", bound))
        )  # fmt: skip
    return found
