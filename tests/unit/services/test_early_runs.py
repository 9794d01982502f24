"""Jobs that are run at submission and stored with their result."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantcloud.auth.principal import Credential, Principal
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.circuits import analyse
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.execution import Outcome, RunOptions
from quantcloud.domain.job import JobStatus, OptimizationTarget
from quantcloud.engine.base import Examined
from quantcloud.engine.inline import InlineEngine
from quantcloud.openqasm import parse
from quantcloud.services.admission import Admission, Admitted, Submission
from quantcloud.services.early_runs import EarlyRuns
from quantcloud.settings import DEFAULT_TIERS
from support.circuits import BELL

T0 = datetime(2025, 3, 31, 12, tzinfo=UTC)
ADA = Principal(Account("ada", Tier.EXPLORER, T0), Credential.JWT)


class Clock:
    """A clock that advances by a millisecond each time it is read."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


class Examiner:
    """An engine that examines all circuits, and returns what it parsed if it is `in_process`."""

    def __init__(self, *, in_process: bool) -> None:
        self._in_process = in_process

    async def examine(self, source: str, owner: str = "") -> Examined:
        circuit = parse(source)
        return Examined(analyse(circuit), circuit if self._in_process else None)


class NoQueues:
    async def queue_depths(self) -> dict[str, int]:
        return {}

    async def mean_queue_seconds(self) -> dict[str, float]:
        return {}


class EmptyStore:
    jobs = NoQueues()


class Workers:
    """A scheduler whose workers have time for a run if there is an `outcome`."""

    def __init__(self, outcome: Outcome | None = None) -> None:
        self._outcome = outcome

    async def run_early(self, new, execution, tier, *, time_limit, on_start) -> Outcome | None:
        if self._outcome is not None:
            on_start()
        return self._outcome


def early_runs(engine: InlineEngine, outcome: Outcome | None = None) -> EarlyRuns:
    workers: Any = Workers(outcome)
    return EarlyRuns(engine, workers, FLEET, Clock())


FLEET = Fleet(installed_backends(), memory_limit=1 << 30, inline={"local_simulator"})


async def admitted(*, in_process: bool = True, **fields: Any) -> Admitted:
    values: dict[str, Any] = {
        "qasm": BELL, "circuit_qasm": "", "code": "", "shots": 100, "backend": "local_simulator",
        "optimize_for": OptimizationTarget.BALANCED, "max_cost_usd": None,
        "min_fidelity": None, "options": RunOptions(seed=7),
    }  # fmt: skip
    store: Any = EmptyStore()
    engine: Any = Examiner(in_process=in_process)
    admission = Admission(
        store, engine, FLEET, Clock(), DEFAULT_TIERS.__getitem__, idle_threads=lambda: 1
    )
    return await admission.admit(ADA, Submission(**{**values, **fields}), check_month_later=True)


@pytest.fixture(scope="module")
def engine() -> InlineEngine:
    return InlineEngine(installed_backends())


async def test_a_short_run_is_completed_when_its_job_is_stored(engine: InlineEngine):
    accepted = await admitted()
    new = await early_runs(engine).run(accepted, Tier.EXPLORER)
    assert [change.status for change in new.changes] == [*JobStatus][1:7]
    assert (new.job, new.qasm, new.analysis) == (accepted.job, BELL, accepted.analysis)
    times = [change.at for change in new.changes[-3:]]
    assert times == sorted(times)
    assert times[0] < times[-1]
    result = new.result
    assert result is not None
    assert (result.job_id, result.backend) == (accepted.job.id, "local_simulator")
    assert sum(result.counts.values()) == 100
    assert new.simulator_seconds == result.execution_time_ms / 1000 > 0
    # The same metadata as of a run in a worker.
    metadata = result.metadata
    assert (metadata["method"], metadata["seed"], metadata["num_qubits"]) == ("statevector", 7, 2)
    ended = new.changes[-1].metadata
    assert ended is not None
    routing: Any = ended["routing"]
    assert routing["actual_seconds"] == new.simulator_seconds


async def test_a_run_on_an_idle_worker_is_stored_with_its_job(engine: InlineEngine):
    accepted = await admitted(backend="aer_simulator")
    outcome = Outcome({"00": 40, "11": 60}, 2.0)
    new = await early_runs(engine, outcome).run(accepted, Tier.EXPLORER)
    assert [change.status for change in new.changes] == [*JobStatus][1:7]
    times = [change.at for change in new.changes[-3:]]
    assert times == sorted({*times})
    assert new.result is not None
    assert (new.result.backend, new.result.counts) == ("aer_simulator", outcome.counts)
    assert new.simulator_seconds == 0.002
    # A batch is stored at once, so its jobs wait for no worker.
    assert (await early_runs(engine, outcome).run_inline(accepted)).result is None


@pytest.mark.parametrize("backend", ["aer_simulator", "local_simulator"])
async def test_other_jobs_wait_in_the_queue_if_no_worker_is_idle(
    engine: InlineEngine, backend: str
):
    memory = backend == "local_simulator"
    accepted = await admitted(backend=backend, options=RunOptions(memory=memory))
    new = await early_runs(engine).run(accepted, Tier.EXPLORER)
    assert (new.result, new.simulator_seconds) == (None, 0.0)
    assert new.changes == accepted.changes
    assert new.changes[-1].status is JobStatus.QUEUED


async def test_a_circuit_that_a_worker_parsed_waits(engine: InlineEngine):
    accepted = await admitted(in_process=False)
    new = await early_runs(engine).run(accepted, Tier.EXPLORER)
    assert (new.result, new.simulator_seconds) == (None, 0.0)
    assert new.changes == accepted.changes
    assert new.changes[-1].status is JobStatus.QUEUED


async def test_without_an_executor_all_jobs_wait():
    accepted = await admitted()
    assert (await early_runs(InlineEngine({})).run(accepted, Tier.EXPLORER)).result is None
