"""The processor time to analyse a circuit and to choose a backend, on one thread."""

import random
import time
from collections.abc import Callable

from benchmarks.figures import Finding, Target, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.workloads import BELL, SHOTS, Gate, measured
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.circuits import analyse
from quantcloud.domain.job import OptimizationTarget
from quantcloud.engine.sandbox.memory import default_memory_limit
from quantcloud.openqasm import parse
from quantcloud.routing.explanation import explain
from support.jobs import unrouted

GATES = 100_000
WIDTH = 20
TIMES = 1_000


async def run(rounds: int) -> list[Finding]:
    fleet = Fleet(installed_backends(), memory_limit=default_memory_limit(2))
    figures = QueueFigures()

    def routed(circuit: object) -> object:
        job = unrouted(OptimizationTarget.BALANCED, shots=SHOTS)
        return explain(fleet.decide(job, analyse(circuit), figures))

    bell, large = parse(BELL), _large()
    parsed = parse(large)

    async def small_choice() -> float:
        return _processor_time(lambda: routed(bell), TIMES) * 1e3

    async def small_parse() -> float:
        return _processor_time(lambda: parse(BELL), TIMES) * 1e3

    async def large_choice() -> float:
        return _processor_time(lambda: routed(parsed), 1) * 1e3

    async def large_parse() -> float:
        return _processor_time(lambda: parse(large), 1) * 1e3

    small = await interleaved({"choice": small_choice, "parse": small_parse}, rounds)
    big = await interleaved({"choice": large_choice, "parse": large_parse}, rounds)
    return [
        Finding(
            "routing bell",
            "a Bell circuit is analysed, its backend chosen and the choice explained; "
            "beside it, parsed",
            spread(small["choice"], "ms"),
            Target("<=", 0.2),
            spread(small["choice"], "ms"),
            spread(small["parse"], "ms"),
        ),
        ratio(
            "routing 100,000 gates",
            "a circuit of 100,000 gates is analysed and its backend chosen / parsed",
            ours=big["choice"],
            bare=big["parse"],
            unit="ms",
            target=Target("<=", 10),
        ),
    ]


def _processor_time(work: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times


def _large() -> str:
    rng = random.Random(7)
    gates: list[Gate] = []
    for _ in range(GATES):
        first, second = rng.sample(range(WIDTH), 2)
        gates.append(
            rng.choice(
                (
                    Gate("h", (first,)),
                    Gate("cx", (first, second)),
                    Gate("rz", (first,), (rng.uniform(0, 6),)),
                )
            )
        )
    return measured(WIDTH, gates)
