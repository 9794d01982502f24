"""The protocol that a backend meets, and how backends are found.

A backend is two objects. Its `Backend` is light: the serving process holds it to list the backend
and to ask which methods could run a circuit, so importing its module imports no simulator. Its
`Executor` runs circuits; it is made once in each worker process and may import what it likes.

A backend from another package joins by an entry point in the group `quantcloud.backends` whose
name is the backend's and whose object is a `Backend`.
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
    """Runs circuits in a worker process; holds the GIL as long as it likes."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        """Run `circuit` (which measures something) as `execution` says.

        Raises any exception when the run fails; its text becomes the job's `error_message`.
        """
        ...


class Backend(Protocol):
    """The light half of a backend.

    It may also have an attribute `resources`, of `backends.resources.Resources`: what a run takes
    of a machine of a cluster. And an attribute `at_once`, True where it has methods that are:
    then the serving process, too, makes an executor, which imports little and starts no threads.
    """

    @property
    def info(self) -> BackendInfo: ...

    def offline_reason(self) -> str | None:
        """Why the backend cannot run anything here, or None when it can. Cheap, and asked once."""
        ...

    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal:
        """The methods that can run such a circuit, best first, or why there is none."""
        ...

    def executor(self) -> Executor:
        """Import the simulator and make an executor. Called once in each worker process."""
        ...


@cache
def installed_backends() -> Mapping[str, Backend]:
    """Every backend that is installed, by name, in the order of their names.

    One that cannot be loaded is logged and left out: a broken package of somebody else's must not
    keep the server from starting.
    """
    found: dict[str, Backend] = {}
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        try:
            found[point.name] = point.load()
        except Exception:  # noqa: BLE001  # whatever a package does when it is imported
            _log.exception("backend %s (%s) cannot be loaded", point.name, point.value)
    return found
