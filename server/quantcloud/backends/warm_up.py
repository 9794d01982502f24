"""What a simulator does at its first runs alone, done before a run's time begins.

Libraries load code, start threads and fill caches when they are first used: up to a tenth of a
second, on a circuit that takes a tenth of a millisecond. That is no run's time: it would be billed,
and predictions would follow it.
"""

from contextlib import suppress
from dataclasses import replace

from quantcloud.backends.base import Executor
from quantcloud.domain.execution import Execution
from quantcloud.openqasm import parse

# One that measures midway, and one that is wide enough for what simulators do on larger states.
_NARROW = parse(
    "qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q[0] -> c[0]; h q[0]; measure q -> c;"
)
_WIDE_QUBITS = 13
_WIDE = parse(
    f"qreg q[{_WIDE_QUBITS}]; creg c[{_WIDE_QUBITS}]; "
    + "".join(f"h q[{qubit}]; cx q[{qubit}],q[{qubit + 1}]; " for qubit in range(_WIDE_QUBITS - 1))
    + "measure q -> c;"
)
_SHOTS = 2


class WarmsUp(Executor):
    """An executor of a simulator whose first runs take longer."""

    def warm_up(self, execution: Execution, *, wide: bool) -> None:
        """Run small circuits by the method of `execution`, with its noise.

        With `wide` one of them has a few thousand amplitudes, where the method can have them.
        """
        options = replace(execution.options, statevector=False, memory=False)
        small = replace(execution, shots=_SHOTS, options=options)
        # What is wide for a density matrix would take a gigabyte.
        is_pure = execution.method == "statevector" and options.noise is None
        for circuit in (_NARROW, _WIDE) if wide and is_pure else (_NARROW,):
            # What is the matter shows in the run itself.
            with suppress(Exception):
                self.run(circuit, small)


class FirstRuns:
    """Has each executor warmed up once for each of its methods, with and without noise."""

    def __init__(self, *, wide: bool) -> None:
        self._wide = wide
        self._done: set[tuple[str, str, bool]] = set()

    def before(self, executor: Executor, execution: Execution) -> None:
        """Do what is to be done before a run of `execution`."""
        key = execution.backend, execution.method, execution.options.noise is not None
        if key not in self._done:
            self._done.add(key)
            if isinstance(executor, WarmsUp):
                executor.warm_up(execution, wide=self._wide)
