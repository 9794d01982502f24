"""Runs in the serving process: which circuits qualify, and that workers give the same counts."""

import subprocess
import sys

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.circuits import expanded, with_measurements
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.domain.execution import Execution, Noise, RunOptions
from quantcloud.domain.job import OptimizationTarget
from quantcloud.engine.base import ExecutionFailed
from quantcloud.engine.inline import InlineEngine
from quantcloud.openqasm import examine, parse
from quantcloud.routing.method import Method, Refusal
from quantcloud.routing.router import Placement
from support.circuits import BELL, HEADER
from support.jobs import unrouted

NAME = "local_simulator"
TELEPORT = HEADER + "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; if(c==1) x q[1];"
WIDE = HEADER + "qreg q[12]; creg c[12];" + "h q;" * 3 + "measure q -> c;"


def pairs(gate: str, number: int) -> str:
    """Return a circuit of gates on two qubits; their angles, if any, are all different."""
    number_of_angles = STANDARD_GATES[gate].num_params
    lines: list[str] = []
    for place in range(number):
        angles = ",".join(f"0.{place}{angle}1" for angle in range(number_of_angles))
        lines.append(f"{gate}{f'({angles})' if angles else ''} q[0],q[1];")
    return HEADER + "qreg q[2]; creg c[2];" + "".join(lines) + "measure q -> c;"


LOADED = """
import sys
from quantcloud.backends.base import installed_backends
from quantcloud.engine.inline import InlineEngine
print(*InlineEngine(installed_backends()).backends, *{"stim", "qiskit", "cirq"} & {*sys.modules})
"""


def methods(qasm: str, shots: int = 1024, options: RunOptions | None = None) -> list[Method]:
    found = installed_backends()[NAME].methods(examine(qasm), shots, options or RunOptions())
    assert not isinstance(found, Refusal)
    return [*found]


def execution(qasm: str, **fields: object) -> Execution:
    values = {"job_id": "j", "backend": NAME, "method": "statevector", "shots": 1024, "seed": 7}
    return Execution(**{**values, "qasm": qasm, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("qasm", "options", "expected"),
    [
        (BELL, RunOptions(), True),
        (BELL, RunOptions(seed=3), True),
        (BELL, RunOptions(memory=True), False),
        (BELL, RunOptions(statevector=True), False),
        (BELL, RunOptions(timeout_seconds=5), False),
        (BELL.replace("h q[0];", "rx(0.1) q[0]; cu1(0.2) q[0],q[1];"), RunOptions(), True),
        # The matrix of each new angle takes time.
        (pairs("rzz", 3), RunOptions(), True),
        (pairs("rzz", 6), RunOptions(), False),
        (pairs("cu3", 6), RunOptions(), False),
        (pairs("ch", 6), RunOptions(), False),
        (TELEPORT, RunOptions(), False),
        (WIDE, RunOptions(), False),
    ],
    ids=[
        "bell",
        "seed",
        "memory",
        "statevector",
        "time limit",
        "angles",
        "some angles",
        "many angles",
        "many gates of angles",
        "many gates that mix",
        "midway",
        "wide",
    ],
)
def test_only_circuits_that_certainly_take_little_time_run_inline(qasm, options, expected):
    by_name = {method.name: method.inline for method in methods(qasm, options=options)}
    assert by_name["statevector"] is expected
    assert not by_name.get("stabilizer", False)


@pytest.mark.parametrize(
    "options",
    [
        RunOptions(memory=True),
        RunOptions(statevector=True),
        RunOptions(timeout_seconds=1.0),
        RunOptions(noise=Noise()),
    ],
)
def test_only_counts_is_false_with_options_that_take_more(options):
    assert RunOptions(seed=0).only_counts
    assert not options.only_counts


def test_the_counts_equal_those_of_a_worker():
    asked = execution(BELL)
    circuit = parse(BELL)
    outcome = InlineEngine(installed_backends()).run(asked, circuit)
    worker = installed_backends()[NAME].executor()
    assert outcome.counts == worker.run(expanded(with_measurements(circuit)), asked).counts
    assert sum(outcome.counts.values()) == 1024


def test_all_qubits_of_a_circuit_without_measurements_are_measured():
    unmeasured = execution(HEADER + "qreg q[2]; x q[1];", shots=5)
    outcome = InlineEngine(installed_backends()).run(unmeasured)
    assert outcome.counts == {"10": 5}


def test_the_serving_process_does_not_load_stim():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == (f"{NAME}\n", "")


def test_a_run_that_fails_raises_an_error_of_engines(caplog):
    engine = InlineEngine(installed_backends())
    with pytest.raises(ExecutionFailed):
        engine.run(execution(HEADER + "qreg q[1]; abacus q[0];"))
    assert "could not run in the serving process" in caplog.text
    with pytest.raises(ExecutionFailed):
        InlineEngine({}).run(execution(BELL))


class Broken:
    """A backend whose simulator cannot be imported."""

    inline = True

    def executor(self):
        raise ImportError("no such module")


def test_a_backend_that_cannot_start_here_is_left_to_workers(caplog):
    engine = InlineEngine({"broken": Broken(), **installed_backends()})
    assert engine.backends == {NAME}
    assert "broken" in caplog.text
    with pytest.raises(ExecutionFailed):
        engine.run(execution(BELL, backend="broken"))
    assert sum(engine.run(execution(BELL)).counts.values()) == 1024


def test_speed_prefers_the_backend_that_runs_inline():
    fleet = Fleet(installed_backends(), memory_limit=1 << 30, inline={NAME})
    bell = examine(BELL)
    for target in (OptimizationTarget.SPEED, OptimizationTarget.BALANCED):
        decision = fleet.decide(unrouted(target), bell, QueueFigures(), inline=True)
        assert decision.chosen is not None
        assert (decision.chosen.backend, decision.placement) == (NAME, Placement.INLINE)
        # If a worker runs it, as for the other backends, Aer's small advantage in speed counts.
        other = unrouted(target, options=RunOptions(memory=True))
        decision = fleet.decide(other, bell, QueueFigures(), inline=True)
        assert decision.placement is Placement.WORKER


def test_an_inline_run_waits_in_no_queue():
    figures = QueueFigures({NAME: 9}, {NAME: 60.0})
    job, bell = unrouted(), examine(BELL)
    fleet = Fleet(installed_backends(), memory_limit=1 << 30, inline={NAME})
    chosen = fleet.decide(job, bell, figures, inline=True).chosen
    assert chosen is not None
    assert (chosen.backend, chosen.wait_seconds) == (NAME, 0.0)
    # If this process runs nothing, or does not have the circuit, the queue counts.
    for others in (
        Fleet(installed_backends(), memory_limit=1 << 30).decide(job, bell, figures, inline=True),
        fleet.decide(job, bell, figures),
    ):
        assert others.chosen is not None
        assert others.chosen.backend != NAME
        waits = {each.backend: each.wait_seconds for each in others.candidates}
        assert waits[NAME] == 60.0
        assert others.placement is Placement.WORKER


def test_learnt_times_do_not_change_where_a_circuit_runs():
    (method, *_) = methods(BELL)
    assert method.lasting(1.0).inline
    assert method.lasting(1.0).as_stated() == method.as_stated()
