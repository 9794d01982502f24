"""Measures every method of every simulator on this machine, and fits the cost model to it."""

import time
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

# What is expected to take longer is left out, and one that does is broken off, in seconds.
_LONGEST = 0.5
_LIMIT = 3.0
_REPEATS = 3
_SHOTS = 1024
_NOISY = RunOptions(noise=Noise(depolarizing_1q=0.01, depolarizing_2q=0.02))

log = structlog.stdlib.get_logger(__name__)


@value_object
class Load:
    """One circuit to measure with."""

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
    """What a method came to: its coefficients, and by how much its runs differ from them.

    `before` and `after` are the factors by which half of the predictions are off, with the
    coefficients that its backend states and with those that were fitted.
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
    """Run `LOADS` on every simulator that is online and free.

    It goes on for about `seconds` at most, once each simulator has started. `memory_limit` is what
    one run may take, in bytes. `progress` is told how many runs are done, of how many, and what
    comes next. A run that fails is logged and left out.
    """
    plan = list(_runs(backends, memory_limit))
    for name, (method, load) in {name: (method, load) for name, method, load in plan[::-1]}.items():
        progress(0, len(plan), f"{name} starts")
        await _fastest(engine, name, method, load)
    until = time.monotonic() + seconds
    found: dict[Key, tuple[Coefficients, list[Sample]]] = {}
    for number, (name, method, load) in enumerate(plan):
        progress(number, len(plan), f"{name} {method.name}")
        if method.work is None or method.coefficients is None:
            continue
        if time.monotonic() > until and found:
            break
        taken = await _fastest(engine, name, method, load)
        if taken is not None:
            _, runs = found.setdefault((name, method.name), (method.coefficients, []))
            runs.append(Sample(method.work, taken))
    progress(len(plan), len(plan), "")
    return {key: _fit(stated, runs) for key, (stated, runs) in sorted(found.items())}


def calibration(measured: Mapping[Key, Measured], machine: str) -> Calibration:
    """The calibration that was measured just now on `machine`."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Calibration(machine, at, {key: each.coefficients for key, each in measured.items()})


def _runs(backends: Mapping[str, Backend], memory_limit: int) -> Iterator[tuple[str, Method, Load]]:
    """What to run: the loads in turn, so that every method has some where time is up."""
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


async def _fastest(engine: Engine, backend: str, method: Method, load: Load) -> float | None:
    """The least of a few runs' times in seconds: what others do meanwhile only adds to them."""
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
            outcome = await engine.execute(execution, time_limit=_LIMIT, on_start=_nothing)
        except EngineError as error:
            log.info("left out", backend=backend, method=method.name, error=str(error))
            return None
        times.append(outcome.execution_time_ms / 1e3)
        if times[-1] > _LONGEST:
            break
    return min(times)


def _nothing() -> None:
    pass


def _fit(stated: Coefficients, runs: Sequence[Sample]) -> Measured:
    coefficients = fitted(stated, runs)
    return Measured(coefficients, len(runs), _off(stated, runs), _off(coefficients, runs))


def _off(coefficients: Coefficients, runs: Sequence[Sample]) -> float:
    """The median factor between predicted and measured times."""
    factors = sorted(
        max(predicted / run.seconds, run.seconds / predicted)
        for run in runs
        if (predicted := coefficients.seconds(run.work)) > 0 and run.seconds > 0
    )
    return factors[len(factors) // 2] if factors else 1.0
