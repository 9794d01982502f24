"""The protocol that a backend implements, and how backends are found.

A backend is two objects. Its `Backend` is light: the serving process uses it to list the backend
and to ask which methods could run a circuit, so its module must not import a simulator. Its
`Executor` runs circuits. Each worker process makes one, and it may import anything.

Another package adds a backend by an entry point in the group `quantcloud.backends`. The name of
the entry point is the backend's name, and its object is a `Backend`.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Execution, Outcome, RunOptions
from quantcloud.routing.method import Method, Refusal

_log = logging.getLogger(__name__)

ENTRY_POINT_GROUP = "quantcloud.backends"


class Executor(Protocol):
    """Runs circuits in a worker process, where it may hold the GIL."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        """Run `circuit` as `execution` says.

        It has at least one measurement, only standard gates, and inputs only with a sweep. Raises
        any exception if the run fails. Its text becomes the job's `error_message`.
        """
        ...


class Backend(Protocol):
    """The light half of a backend.

    It may have two more attributes. `resources`, a `backends.resources.Resources`, states what a
    run takes of a cluster's machine. `inline` is True if some of its methods are `inline`: then
    the serving process also makes an executor, which must import little and start no threads.
    """

    @property
    def info(self) -> BackendInfo: ...

    def offline_reason(self) -> str | None:
        """Return why the backend cannot run here, or None if it can. Called once; must be fast."""
        ...

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        """Return the methods that can run such a circuit, best first, or why there is none."""
        ...

    def executor(self) -> Executor:
        """Import the simulator and make an executor. Called once in each worker process."""
        ...


@cache
def installed_backends() -> Mapping[str, Backend]:
    """Return all installed backends by name, sorted by name.

    A backend that cannot be loaded is logged and left out: a broken third-party package must not
    keep the server from starting.
    """
    found: dict[str, Backend] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            found[point.name] = point.load()
        except Exception:  # noqa: BLE001  # a package may raise anything on import
            _log.exception("backend %s (%s) cannot be loaded", point.name, point.value)
    return found
