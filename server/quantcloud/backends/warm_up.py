"""Warms up simulators before the time of a run is measured.

Libraries load code, start threads and fill caches at their first use. That takes up to 0.1 s, even
if the circuit takes 0.1 ms. As part of a run's time it would be billed and distort predictions.
"""

from contextlib import suppress
from dataclasses import replace

from quantcloud.backends.base import Executor
from quantcloud.domain.execution import Execution
from quantcloud.openqasm import parse

# One with a mid-circuit measurement, and one that is wide enough for the code for large states.
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
    """An executor of a simulator whose first runs are slower than later ones."""

    def warm_up(self, execution: Execution, *, wide: bool) -> None:
        """Run small circuits by the method of `execution`, with its noise.

        If `wide` is set and the method allows it, one of them has a few thousand amplitudes.
        """
        options = replace(execution.options, statevector=False, memory=False)
        small = replace(execution, shots=_SHOTS, options=options, sweep=None)
        # The density matrix of the wide circuit would take a gigabyte.
        is_pure = execution.method == "statevector" and options.noise is None
        for circuit in (_NARROW, _WIDE) if wide and is_pure else (_NARROW,):
            # The run itself will report the error.
            with suppress(Exception):
                self.run(circuit, small)


class FirstRuns:
    """Warms up each executor once for each of its methods, with and without noise."""

    def __init__(self, *, wide: bool) -> None:
        self._wide = wide
        self._done: set[tuple[str, str, bool]] = set()

    def before(self, executor: Executor, execution: Execution) -> None:
        """Warm up `executor` for a run of `execution`, if that was not done yet."""
        key = execution.backend, execution.method, execution.options.noise is not None
        if key not in self._done:
            self._done.add(key)
            if isinstance(executor, WarmsUp):
                executor.warm_up(execution, wide=self._wide)
