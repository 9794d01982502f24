"""What the light halves of all simulators share."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import ClassVar

from quantcloud.backends.base import Executor
from quantcloud.backends.packages import missing
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import RunOptions
from quantcloud.routing.method import Method, Refusal


class SimulatorBackend(ABC):
    """See `base.Backend`. `modules` are those that it needs.

    `executor_class` is the executor's module and class, which are imported only where it runs;
    `arguments` are those of its constructor.
    """

    modules: ClassVar[tuple[str, ...]] = ()
    executor_class: ClassVar[str]

    def __init__(
        self,
        name: str,
        provider: str,
        num_qubits: int,
        description: str,
        packages: tuple[str, ...],
        *arguments: str,
    ) -> None:
        native = tuple(sorted(STANDARD_GATES))
        self.info = BackendInfo(name, provider, num_qubits, native, description, packages=packages)
        self._arguments = arguments

    def offline_reason(self) -> str | None:
        return missing(*self.modules)

    @abstractmethod
    def methods(
        self, analysis: Analysis, shots: int, options: RunOptions
    ) -> Sequence[Method] | Refusal: ...

    def executor(self) -> Executor:
        return resolve_name(self.executor_class)(*self._arguments)
