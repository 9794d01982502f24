"""Jobs that are run at submission and stored with their result."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quantcloud.auth.principal import Credential, Principal
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.circuits import analyse
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import JobStatus, OptimizationTarget
from quantcloud.engine.base import Examined
from quantcloud.engine.inline import InlineEngine
from quantcloud.openqasm import parse
from quantcloud.services.admission import Admission, Admitted, Submission
from quantcloud.services.inline_runs import InlineRuns
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


FLEET = Fleet(installed_backends(), memory_limit=1 << 30, inline={"local_simulator"})


async def admitted(*, in_process: bool = True, **fields: Any) -> Admitted:
    values: dict[str, Any] = {
        "qasm": BELL, "circuit_qasm": "", "code": "", "shots": 100, "backend": "local_simulator",
        "optimize_for": OptimizationTarget.BALANCED, "num_qubits": None, "max_cost_usd": None,
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
    new = await InlineRuns(engine, FLEET, Clock()).run(accepted)
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


@pytest.mark.parametrize("backend", ["aer_simulator", "local_simulator"])
async def test_other_jobs_wait_in_the_queue(engine: InlineEngine, backend: str):
    memory = backend == "local_simulator"
    accepted = await admitted(backend=backend, options=RunOptions(memory=memory))
    new = await InlineRuns(engine, FLEET, Clock()).run(accepted)
    assert (new.result, new.simulator_seconds) == (None, 0.0)
    assert new.changes == accepted.changes
    assert new.changes[-1].status is JobStatus.QUEUED


async def test_a_circuit_that_a_worker_parsed_waits(engine: InlineEngine):
    accepted = await admitted(in_process=False)
    new = await InlineRuns(engine, FLEET, Clock()).run(accepted)
    assert (new.result, new.simulator_seconds) == (None, 0.0)
    assert new.changes == accepted.changes
    assert new.changes[-1].status is JobStatus.QUEUED


async def test_without_an_executor_all_jobs_wait():
    accepted = await admitted()
    assert (await InlineRuns(InlineEngine({}), FLEET, Clock()).run(accepted)).result is None
