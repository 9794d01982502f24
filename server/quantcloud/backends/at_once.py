"""Runs very small circuits in the serving process: a worker would take longer to reach."""

import logging
import os
from collections.abc import KeysView, Mapping

from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.warm_up import FirstRuns
from quantcloud.circuits import Circuit, expanded, with_measurements
from quantcloud.domain.execution import Execution, Outcome

_log = logging.getLogger(__name__)


class AtOnce:
    """The executors of those `backends` whose attribute `at_once` is True.

    The constructor imports their simulators.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._executors: dict[str, Executor] = {}
        self._first_runs = FirstRuns(wide=False)
        for name, backend in backends.items():
            if getattr(backend, "at_once", False):
                # NumPy would start a thread for each core, but the matrices are too small for that.
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
                try:
                    self._executors[name] = backend.executor()
                except Exception:  # noqa: BLE001  # an import may raise anything
                    _log.exception("backend %s cannot run in the serving process", name)

    @property
    def backends(self) -> KeysView[str]:
        """The names of the backends that run circuits here."""
        return self._executors.keys()

    def run(self, circuit: Circuit, execution: Execution) -> Outcome | None:
        """Run a circuit whose method is `at_once`; return None if a worker must run it instead."""
        try:
            executor = self._executors[execution.backend]
            self._first_runs.before(executor, execution)
            return executor.run(expanded(with_measurements(circuit)), execution)
        except Exception:  # noqa: BLE001  # a simulator may raise anything
            _log.exception("job %s could not be run at once", execution.job_id)
            return None
