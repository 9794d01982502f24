"""Runs in the serving process what takes less time to run than to hand to a worker."""

import logging
import os
from collections.abc import KeysView, Mapping

from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.warm_up import FirstRuns
from quantcloud.circuits import Circuit, expanded, with_measurements
from quantcloud.domain.execution import Execution, Outcome

_log = logging.getLogger(__name__)


class AtOnce:
    """Has an executor of each of `backends` with the attribute `at_once`.

    Their simulators are imported when this is made.
    """

    def __init__(self, backends: Mapping[str, Backend]) -> None:
        self._executors: dict[str, Executor] = {}
        self._first_runs = FirstRuns(wide=False)
        for name, backend in backends.items():
            if getattr(backend, "at_once", False):
                # NumPy would start a thread for each core, for matrices that are never so large.
                os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
                try:
                    self._executors[name] = backend.executor()
                except Exception:  # noqa: BLE001  # whatever it imports; workers have it still
                    _log.exception("backend %s cannot run in the serving process", name)

    @property
    def backends(self) -> KeysView[str]:
        """The names of those that run circuits here."""
        return self._executors.keys()

    def run(self, circuit: Circuit, execution: Execution) -> Outcome | None:
        """Run a circuit whose method is `at_once`; None where a worker is to run it after all."""
        try:
            executor = self._executors[execution.backend]
            self._first_runs.before(executor, execution)
            return executor.run(expanded(with_measurements(circuit)), execution)
        except Exception:  # noqa: BLE001  # a simulator raises what it likes
            _log.exception("job %s could not be run at once", execution.job_id)
            return None
