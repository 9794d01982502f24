"""The router's choices for speed compared with the best backend per circuit, and with Aer."""

import math
import random
import time
from dataclasses import dataclass, replace

from benchmarks.circuits import cliffords, mqt_bench
from benchmarks.figures import Finding, Target, spread
from benchmarks.workloads import SHOTS
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.domain.execution import Execution
from quantcloud.engine.base import EngineError
from quantcloud.engine.local import LocalEngine
from quantcloud.openqasm import examine
from quantcloud.routing.cost_model import CostModel
from quantcloud.routing.router import Candidate
from quantcloud.services.calibration import calibration, measure
from support.jobs import unrouted

WIDTHS = (4, 10, 16, 20, 22)
CLIFFORD_WIDTHS = (50, 100, 200, 500)
AER = "aer_simulator"

# Runs with a longer prediction are skipped, and longer runs are stopped. Seconds.
LIMIT = 2.0
# Runs with a prediction of this many times the shortest are skipped, too.
MAX_RATIO = 3.0
ALWAYS_WORTH = 0.05
# The shortest of this many runs counts, or of those that end within this time in seconds.
REPEATS = 7
REPEATED_UP_TO = 0.1
CALIBRATION_SECONDS = 20.0
# No new circuit starts after this time. Seconds.
BUDGET = 100.0
COUNTED_FROM = 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """The seconds of one circuit: with the router's choice, at best, and on Aer.

    `predicted` is the prediction for the choice.
    """

    name: str
    chosen: float
    best: float
    aer: float
    predicted: float


async def run(rounds: int) -> list[Finding]:
    del rounds  # there are hundreds of circuits; each is measured once
    engine = LocalEngine(workers=1)
    await engine.start()
    try:
        measured = await measure(
            engine, installed_backends(), engine.memory_limit,
            seconds=CALIBRATION_SECONDS, progress=lambda *_: None,
        )  # fmt: skip
        model = CostModel(calibration(measured, "this one"))
        fleet = Fleet(installed_backends(), memory_limit=engine.memory_limit, model=model)
        circuits = [*mqt_bench(WIDTHS), *cliffords(CLIFFORD_WIDTHS)]
        cases: list[Case] = []
        tried, until = 0, time.monotonic() + BUDGET
        # In random order, so that the circuits beyond the time budget are a fair sample.
        for name, qasm in random.Random(4).sample(circuits, len(circuits)):
            if time.monotonic() > until:
                break
            tried += 1
            if (case := await _case(engine, fleet, name, qasm)) is not None:
                cases.append(case)
    finally:
        await engine.stop()
    return _findings(cases, tried, len(circuits))


async def _case(engine: LocalEngine, fleet: Fleet, name: str, qasm: str) -> Case | None:
    """Run one circuit on all promising backends; return None if none ends within the limit."""
    decision = fleet.decide(unrouted(shots=SHOTS), examine(qasm), QueueFigures())
    chosen = decision.chosen
    if chosen is None or chosen.method is None or chosen.method.seconds > LIMIT:
        return None
    shortest = chosen.method.seconds
    seconds: dict[str, float] = {}
    for candidate in decision.candidates:
        method = candidate.method
        if method is None:
            continue
        worth = method.seconds <= max(ALWAYS_WORTH, MAX_RATIO * shortest)
        if method.seconds > LIMIT or not (worth or candidate.backend == AER):
            seconds[candidate.backend] = LIMIT if candidate.backend == AER else math.inf
            continue
        seconds[candidate.backend] = await _seconds(engine, candidate, qasm)
    best = min(seconds.values())
    if best >= LIMIT:
        return None
    return Case(name, seconds[chosen.backend], best, seconds.get(AER, LIMIT), shortest)


async def _seconds(engine: LocalEngine, candidate: Candidate, qasm: str) -> float:
    assert candidate.method is not None
    backend, method = candidate.backend, candidate.method.name
    times: list[float] = []
    execution = Execution("job", backend, method, qasm, SHOTS, seed=0)
    for seed in range(REPEATS):
        try:
            outcome = await engine.execute(
                replace(execution, seed=seed), time_limit=LIMIT, on_start=lambda: None
            )
        except EngineError:
            return LIMIT
        times.append(outcome.execution_time_ms / 1e3)
        if sum(times) > REPEATED_UP_TO:
            break
    return min(times)


def _findings(cases: list[Case], tried: int, known: int) -> list[Finding]:
    ours, best, aer = (
        sum(getattr(case, side) for case in cases) for side in ("chosen", "best", "aer")
    )
    worst = max(cases, key=lambda case: case.chosen / case.best * (case.chosen > COUNTED_FROM))
    errors = [max(c.predicted / c.chosen, c.chosen / c.predicted) for c in cases]
    what = f"{len(cases)} circuits; {tried - len(cases)} take longer than {LIMIT:g} s everywhere"
    if tried < known:
        what += f", for {known - tried} there was no time"
    return [
        Finding(
            "router / best backend",
            f"time of the choices for speed / of the best backend for each circuit ({what})",
            spread([ours / best]), Target("<=", 1.15), spread([ours], "s"), spread([best], "s"),
        ),
        Finding(
            "router / always Aer",
            f"the same / all on {AER}, where what takes longer than the limit counts as that",
            spread([ours / aer]), Target("<=", 0.5), spread([ours], "s"), spread([aer], "s"),
        ),
        Finding(
            "router worst case",
            f"choice / best of one circuit that takes more than 5 ms: {worst.name}",
            spread([worst.chosen / worst.best]), Target("<=", 2),
            spread([worst.chosen * 1e3], "ms"), spread([worst.best * 1e3], "ms"),
        ),
        Finding(
            "router prediction",
            "the greater of predicted and actual time over the lesser, of each choice",
            spread(errors),
        ),
    ]  # fmt: skip
