"""Runs very small circuits in the serving process: a worker would take longer to reach."""

import logging
import os
from collections.abc import Callable, Container, Mapping

from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.packages import with_versions
from quantcloud.backends.points import with_points
from quantcloud.backends.warm_up import FirstRuns
from quantcloud.circuits import Circuit, expanded, with_measurements
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.engine.base import ExecutionFailed
from quantcloud.openqasm import parse

_log = logging.getLogger(__name__)


class InlineEngine:
    """Runs circuits by the executors of those `backends` whose attribute `inline` is True.

    The constructor imports their simulators.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._executors: dict[str, Executor] = {}
        self._packages: dict[str, tuple[str, ...]] = {}
        self._first_runs = FirstRuns(wide=False)
        for name, backend in backends.items():
            if getattr(backend, "inline", False):
                # NumPy would start a thread for each core, but the matrices are too small for that.
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
                try:
                    self._executors[name] = backend.executor()
                    self._packages[name] = backend.info.packages
                except Exception:  # noqa: BLE001  # an import may raise anything
                    _log.exception("backend %s cannot run in the serving process", name)

    @property
    def backends(self) -> Container[str]:
        """The names of the backends that run circuits here."""
        return self._executors.keys()

    async def execute(
        self,
        execution: Execution,
        *,
        time_limit: float,
        on_start: Callable[[], None],
        circuit: Circuit | None = None,
    ) -> Outcome:
        """Run a circuit whose method is `inline`, without suspending.

        `circuit` is the parsed circuit, if the caller has it. Such a run ends long before any
        `time_limit`. Raises `ExecutionFailed`; a worker may still run the circuit then.
        """
        del time_limit
        on_start()
        try:
            executor = self._executors[execution.backend]
            self._first_runs.before(executor, execution)
            parsed = parse(execution.qasm) if circuit is None else circuit
            outcome = executor.run(expanded(with_measurements(parsed)), execution)
            outcome = with_points(outcome, execution)
            return with_versions(outcome, self._packages[execution.backend])
        except Exception as error:
            _log.exception("job %s could not run in the serving process", execution.job_id)
            raise ExecutionFailed(str(error)) from error
