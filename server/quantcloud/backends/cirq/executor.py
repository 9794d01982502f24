"""Runs circuits with Google's simulators: qsim for pure states, Cirq for density matrices."""

from quantcloud.backends.cirq.noise import DensityMatrix, Trajectory, TrajectoryCircuits
from quantcloud.backends.cirq.qsim import QsimState
from quantcloud.backends.simulation.branching import run as run_branches
from quantcloud.backends.simulation.noise import narrowed
from quantcloud.backends.simulation.programs import Program, program
from quantcloud.backends.simulation.results import Run, check_statevector
from quantcloud.backends.simulation.sampling import Tally
from quantcloud.backends.warm_up import WarmsUp
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.execution import Execution, Noise, Outcome


class CirqExecutor(WarmsUp):
    """See `base.Executor`."""

    def run(self, circuit: Circuit, execution: Execution) -> Outcome:
        run = Run(execution)
        noise, shots = execution.options.noise, execution.shots
        if (execution.method == "statevector") != (noise is None):
            raise ValueError(
                f"cirq_simulator has no method {execution.method!r} "
                + ("without noise" if noise is None else "with noise")
            )
        if noise is None:
            divided = program(circuit)
            check_statevector(execution, divided.num_qubits, branches=divided.branches)
            state = QsimState(divided.num_qubits)
            tally = run_branches(divided, state, shots, run.rng)
            return run.outcome(
                tally.counts,
                precision="single",
                amplitudes=state.amplitudes,
                details={"engine": "qsim"},
            )
        divided = program(narrowed(circuit), noisy=True)
        check_statevector(execution, divided.num_qubits, branches=divided.branches)
        if execution.method == "density_matrix":
            mixed = DensityMatrix(divided.num_qubits, noise)
            tally = run_branches(divided, mixed, shots, run.rng, readout_error=noise.readout)
            return run.outcome(tally.counts, details={"engine": "cirq"})
        if execution.method == "trajectories":
            tally = _trajectories(divided, noise, run, shots)
            return run.outcome(tally.counts, precision="single", details={"engine": "qsim"})
        raise ValueError(f"cirq_simulator has no method {execution.method!r}")


def _trajectories(divided: Program, noise: Noise, run: Run, shots: int) -> Tally:
    tally = Tally(divided.num_clbits)
    circuits = TrajectoryCircuits(divided.num_qubits, noise)
    for _ in range(shots):
        state = Trajectory(divided.num_qubits, run.rng, circuits)
        run_branches(divided, state, 1, run.rng, readout_error=noise.readout, tally=tally)
    return tally
