"""Measures each method of each simulator on this machine, and fits the cost model to the times."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import structlog

from quantcloud.backends.base import Backend
from quantcloud.domain.execution import NO_OPTIONS, Execution, Noise, RunOptions
from quantcloud.domain.value_object import value_object
from quantcloud.engine.base import Engine, EngineError
from quantcloud.openqasm import examine, samples
from quantcloud.routing.cost_model import Calibration, Key
from quantcloud.routing.fitting import Sample, fitted
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.work import Coefficients

# In seconds: runs with a longer prediction are left out, and longer runs are stopped.
_LONGEST = 0.5
_LIMIT = 3.0
_REPEATS = 3
_SHOTS = 1024
_NOISY = RunOptions(noise=Noise(depolarizing_1q=0.01, depolarizing_2q=0.02))

log = structlog.stdlib.get_logger(__name__)


@value_object
class Load:
    """A circuit to measure, with its shots and options."""

    qasm: str
    shots: int = _SHOTS
    options: RunOptions = NO_OPTIONS


LOADS: Sequence[Load] = (
    Load(samples.clifford(2, 4)),
    Load(samples.light(4, 40)),
    *(
        Load(kind(width, gates))
        for width, gates in ((3, 60), (8, 60), (11, 60), (14, 40), (16, 30))
        for kind in (samples.light, samples.dense, samples.wide)
    ),
    Load(samples.light(12, 200), shots=20_000),
    Load(samples.dense(6, 20), shots=20_000),
    Load(samples.midway(4, 12)),
    *(Load(samples.clifford(width, gates)) for width, gates in ((20, 100), (60, 300), (150, 800))),
    Load(samples.clifford(40, 200), shots=8_000),
    *(Load(samples.chain(width)) for width in (28, 50)),
    *(
        Load(kind(width, 12), shots=200, options=_NOISY)
        for width in (2, 4, 6)
        for kind in (samples.light, samples.dense)
    ),
)


@value_object
class Measured:
    """A method's fitted coefficients, and how far predictions are from its `runs` runs.

    `before` and `after` are the median factors between prediction and run time, `before` with the
    coefficients that the backend states, `after` with the fitted ones.
    """

    coefficients: Coefficients
    runs: int
    before: float
    after: float


async def measure(
    engine: Engine,
    backends: Mapping[str, Backend],
    memory_limit: int,
    *,
    seconds: float,
    progress: Callable[[int, int, str], None],
) -> Mapping[Key, Measured]:
    """Run `LOADS` on every simulator that is online and free of charge.

    The runs take about `seconds` at most, after each simulator has started. `memory_limit` is the
    most memory that one run may take, in bytes. `progress` receives the number of finished runs,
    the number of all runs, and the name of the next. A run that fails is logged and left out.
    """
    plan = list(_runs(backends, memory_limit))
    for name, (method, load) in {name: (method, load) for name, method, load in plan[::-1]}.items():
        progress(0, len(plan), f"{name} starts")
        await _times(engine, name, method, load)
    # The time of the runs alone: the server pauses this process while it has jobs.
    spent = 0.0
    found: dict[Key, tuple[Coefficients, list[Sample]]] = {}
    for number, (name, method, load) in enumerate(plan):
        progress(number, len(plan), f"{name} {method.name}")
        if method.work is None or method.coefficients is None:
            continue
        if spent > seconds and found:
            break
        times = await _times(engine, name, method, load)
        spent += sum(times)
        if times:
            _, runs = found.setdefault((name, method.name), (method.coefficients, []))
            # Other load on the machine only makes runs longer.
            runs.append(Sample(method.work, min(times)))
    progress(len(plan), len(plan), "")
    return {key: _fit(stated, runs) for key, (stated, runs) in sorted(found.items())}


def calibration(measured: Mapping[Key, Measured], machine: str) -> Calibration:
    """Return a calibration of `machine`, measured now."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Calibration(machine, at, {key: each.coefficients for key, each in measured.items()})


def _runs(backends: Mapping[str, Backend], memory_limit: int) -> Iterator[tuple[str, Method, Load]]:
    """Yield the runs load by load, so that each method has some if the time runs out."""
    usable = {
        name: backend
        for name, backend in backends.items()
        if backend.info.is_simulator
        and not backend.info.cost_per_shot
        and backend.offline_reason() is None
    }
    for load in LOADS:
        analysis = examine(load.qasm)
        for name, backend in usable.items():
            methods = backend.methods(analysis, load.shots, load.options)
            for method in () if isinstance(methods, Refusal) else methods:
                if (
                    method.work is not None
                    and method.coefficients is not None
                    and method.seconds <= _LONGEST
                    and method.memory_bytes <= memory_limit
                ):
                    yield name, method, load


async def _times(engine: Engine, backend: str, method: Method, load: Load) -> list[float]:
    """Return the times of a few runs, in seconds; none if one failed."""
    times: list[float] = []
    for seed in range(_REPEATS):
        execution = Execution(
            job_id="calibration",
            backend=backend,
            method=method.name,
            qasm=load.qasm,
            shots=load.shots,
            seed=seed,
            options=load.options,
        )
        try:
            outcome = await engine.execute(execution, time_limit=_LIMIT, on_start=_ignore_start)
        except EngineError as error:
            log.info("left out", backend=backend, method=method.name, error=str(error))
            return []
        times.append(outcome.execution_time_ms / 1e3)
        if times[-1] > _LONGEST:
            break
    return times


def _ignore_start() -> None:
    pass


def _fit(stated: Coefficients, runs: Sequence[Sample]) -> Measured:
    coefficients = fitted(stated, runs)
    return Measured(coefficients, len(runs), _off(stated, runs), _off(coefficients, runs))


def _off(coefficients: Coefficients, runs: Sequence[Sample]) -> float:
    """Return the median factor between predicted and measured times."""
    factors = sorted(
        max(predicted / run.seconds, run.seconds / predicted)
        for run in runs
        if (predicted := coefficients.seconds(run.work)) > 0 and run.seconds > 0
    )
    return factors[len(factors) // 2] if factors else 1.0
