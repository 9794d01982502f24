"""Runs circuits for `local_simulator`: NumPy for any circuit, Stim for Clifford circuits."""

from quantcloud.backends.local.statevector import Statevector
from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.programs import program
from quantcloud.backends.simulation.results import Run, check_statevector
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Outcome


class LocalExecutor(WarmsUp):
    """See `base.Executor`."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        if execution.options.noise is not None:
            raise ValueError("local_simulator simulates no noise")
        divided = program(circuit)
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        if execution.method == "stabilizer":
            # Imported here, since the serving process runs small statevectors and needs no Stim.
            from quantcloud.backends.local import stabilizer  # noqa: PLC0415

            tally = stabilizer.sample(divided, execution.shots, execution.seed, run.rng)
            return run.outcome(tally.counts)
        if execution.method != "statevector":
            raise ValueError(f"local_simulator has no method {execution.method!r}")
        state = Statevector(divided.num_qubits)
        tally = run_branches(divided, state, execution.shots, run.rng)
        return run.outcome(tally.counts, amplitudes=state.amplitudes)
