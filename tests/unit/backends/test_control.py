"""Programs of OpenQASM 3 whose control flow depends on measurements."""

import math
from functools import cache

import pytest

from quantcloud.backends.aer.backend import CPU, GPU
from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.cirq.backend import BACKEND as CIRQ
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.backends.local.backend import BACKEND as LOCAL
from quantcloud.backends.pennylane.backend import BACKEND as PENNYLANE
from quantcloud.circuits import analyse, expanded, with_measurements
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.classical import UnboundedLoopError
from quantcloud.domain.errors import CircuitError
from quantcloud.domain.execution import Execution, GateNoise, Noise, RunOptions
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal
from support.jobs import unrouted

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[4] c; '
SHOTS = 600
RUNNERS = pytest.mark.parametrize("backend", [LOCAL, CPU], ids=["local", "aer"])


@cache
def executor(backend: Backend) -> Executor:
    return backend.executor()


def run(
    backend: Backend, source: str, *, shots: int = SHOTS, method: str | None = None,
    options: RunOptions | None = None,
) -> dict[str, int]:  # fmt: skip
    circuit = parse(source)
    options = options or RunOptions()
    methods = backend.methods(analyse(circuit), shots, options)
    assert not isinstance(methods, Refusal), methods
    execution = Execution(
        job_id="job", backend=backend.info.name, method=method or methods[0].name, qasm=source,
        shots=shots, seed=7, options=options,
    )  # fmt: skip
    return dict(executor(backend).run(expanded(with_measurements(circuit)), execution).counts)


# Statements, and the probability of each outcome.
PROGRAMS = {
    "until success": ("while (!c[0]) { h q[0]; c[0] = measure q[0]; }", {"0001": 1}),
    "a bounded number of tries": (
        (
            "uint[3] n = 0; bit b = 0; while (!b && n < 3) { h q[0]; b = measure q[0]; n += 1; } "
            "c[0:2] = n; c[3] = b;"
        ),
        {"1001": 1 / 2, "1010": 1 / 4, "1011": 1 / 8, "0011": 1 / 8},
    ),
    "bits that become values of their neighbours": (
        "h q[0]; h q[1]; c[0] = measure q[0]; c[1] = measure q[1]; c = c << 1;",
        {"0000": 1 / 4, "0010": 1 / 4, "0100": 1 / 4, "0110": 1 / 4},
    ),
    "break": (
        "for int i in [0:3] { h q[0]; c[i] = measure q[0]; if (c[i]) break; }",
        {"0001": 1 / 2, "0010": 1 / 4, "0100": 1 / 8, "1000": 1 / 16, "0000": 1 / 16},
    ),
    "break of an endless loop": (
        (
            "int[8] n = 0; while (true) { h q[0]; bit b = measure q[0]; n += 1; if (b) { break; } "
            "if (n == 2) { break; } } c = n;"
        ),
        {"0001": 1 / 2, "0010": 1 / 2},
    ),
    "continue": (
        (
            "h q[0]; bit b = measure q[0]; for int i in [0:2] { if (b && i != 1) { continue; } "
            "x q[1]; c[i] = measure q[1]; x q[1]; reset q[1]; }"
        ),
        {"0111": 1 / 2, "0010": 1 / 2},
    ),
    "continue in a loop of the circuit": (
        (
            "int[4] n = 0; int[4] k = 0; while (n < 3) { n += 1; h q[0]; bit b = measure q[0]; "
            "reset q[0]; if (b) continue; k += 1; } c = k;"
        ),
        {"0000": 1 / 8, "0001": 3 / 8, "0010": 3 / 8, "0011": 1 / 8},
    ),
    "a loop to a measured number": (
        (
            "h q[0]; h q[1]; bit[2] m; m = measure q[0:1]; uint[3] n = 0; "
            "for int i in [1:m] { n += 2; } c = n;"
        ),
        {"0000": 1 / 4, "0010": 1 / 4, "0100": 1 / 4, "0110": 1 / 4},
    ),
    "conditions": (
        (
            "h q[0]; h q[1]; bit[2] m; m = measure q[0:1]; c[0] = m[0] && m[1]; "
            "c[1] = m[0] || m[1]; "
            "c[2] = m == 2; if (!(m[0] ^ m[1]) && m != 0) { x q[2]; } c[3] = measure q[2];"
        ),
        {"0000": 1 / 4, "0010": 1 / 4, "0110": 1 / 4, "1011": 1 / 4},
    ),
    "else after a change of the condition": (
        (
            "h q[0]; c[0] = measure q[0]; if (c[0] == 1) { c[0] = 0; x q[1]; } else { c[0] = 1; } "
            "c[1] = measure q[1];"
        ),
        {"0010": 1 / 2, "0001": 1 / 2},
    ),
    "a condition that no value of its bits satisfies": (
        (
            "h q[0]; c[0] = measure q[0]; if (c == 16) { x q[1]; } int n = c[0]; n += 1; "
            "if (c == 16) { x q[1]; } c[1] = measure q[1]; c[2:3] = n;"
        ),
        {"0100": 1 / 2, "1001": 1 / 2},
    ),
    "nested conditions": (
        (
            "h q[0]; h q[1]; c[0] = measure q[0]; c[1] = measure q[1]; "
            "if (c[0]) { if (c[1]) { x q[2]; } else { c[3] = 1; } } c[2] = measure q[2];"
        ),
        {"0000": 1 / 4, "1001": 1 / 4, "0010": 1 / 4, "0111": 1 / 4},
    ),
    "arithmetic": (
        (
            "h q[0]; h q[1]; bit[2] m; m = measure q[0:1]; int[8] a = m; a = (a * 3 - 4) / 2; "
            "bit[4] z; c = a; c = a;"
        ),
        {"1110": 1 / 4, "0000": 1 / 4, "0001": 1 / 4, "0010": 1 / 4},
    ),
    "remainders and shifts": (
        "h q[0]; h q[1]; bit[2] m; m = measure q[0:1]; uint[8] a = 5; a <<= m; a %= 7; c = a >> 1;",
        {"0010": 1 / 2, "0001": 1 / 4, "0011": 1 / 4},
    ),
    "bits of numbers": (
        (
            "h q[0]; bit b = measure q[0]; int[4] k = 0; k[2] = b; k[0] = !b; c = k; "
            "c[3] = popcount(c[0:2]) == 1;"
        ),
        {"1100": 1 / 2, "1001": 1 / 2},
    ),
    "switch": (
        (
            "h q[0]; h q[1]; bit[2] m; m = measure q[0:1]; "
            "switch (m) { case 0 { c[0] = 1; } case 1, 3 { c[1] = 1; } default { c[2] = 1; } }"
        ),
        {"0001": 1 / 4, "0010": 1 / 2, "0100": 1 / 4},
    ),
    "subroutines": (
        (
            "def toss(qubit a) -> bit { h a; bit b = measure a; reset a; return b; } "
            "c[0] = toss(q[0]); c[1] = toss(q[0]) ^ c[0]; if (toss(q[1]) == c[0]) { c[2] = 1; }"
        ),
        {f"0{k:03b}": 1 / 8 for k in range(8)},
    ),
    "return from loops": (
        (
            "def tries(qubit a) -> uint[3] { uint[3] n = 0; while (true) { h a; bit b = measure a; "
            "n += 1; if (b) { return n; } if (n == 2) { break; } } return 7; } "
            "c[0:2] = tries(q[0]);"
        ),
        {"0001": 1 / 2, "0010": 1 / 4, "0111": 1 / 4},
    ),
    "return from nested loops": (
        (
            "def f(qubit a) -> uint[3] { for int i in [1:2] { bit b = 0; int k = 0; "
            "while (!b) { h a; "
            "b = measure a; k += 1; if (k == 2) { return 4 + i; } } } return 1; } c[0:2] = f(q[0]);"
        ),
        {"0101": 1 / 2, "0110": 1 / 4, "0001": 1 / 4},
    ),
    "a subroutine in the test of a loop runs once for each round": (
        (
            "def f(qubit a) -> bit { x a; return 1; } h q[0]; bit b = measure q[0]; "
            "int n = b; while (f(q[1]) && n < 3) { n += 1; } c[0] = b; c[1] = measure q[1];"
        ),
        {"0000": 1 / 2, "0011": 1 / 2},
    ),
    "a subroutine in the test of a loop does not run after a break": (
        (
            "def f(qubit a) -> bit { x a; return 1; } h q[0]; bit b = measure q[0]; "
            "int n = b; while (f(q[1])) { n += 1; if (n == 2) { break; } } "
            "c[0] = b; c[1] = measure q[1];"
        ),
        {"0000": 1 / 2, "0011": 1 / 2},
    ),
    "a subroutine in a range runs once": (
        (
            "def f(qubit a) -> int { x a; return 1; } int n = 0; "
            "for int i in [0:f(q[1])] { n += 1; } c[0] = measure q[1]; c[1:3] = n;"
        ),
        {"0101": 1.0},
    ),
    "a loop over bits that its body changes": (
        "x q[0]; c[0] = measure q[0]; for bit b in c { c[1] = 1; c[2] = c[2] ^ b; }",
        {"0111": 1.0},
    ),
    "a loop to an end that its variable cannot hold": (
        (
            "x q[0]; bit b = measure q[0]; int[8] last = 20 * b; uint[4] n = 0; "
            "for int[3] i in [1:last] { n += 1; } c = n;"
        ),
        {"0100": 1.0},
    ),
    "a variable that is known again": (
        (
            "h q[0]; c[0] = measure q[0]; uint[3] n = c[0]; n = 0; n[1] = 1; if (c[0]) { n += 1; } "
            "c[1:3] = n;"
        ),
        {"0100": 1 / 2, "0111": 1 / 2},
    ),
    "dropped outcomes": ("h q[0]; measure q[0]; c[0] = measure q[0];", {"0000": 0.5, "0001": 0.5}),
    "teleportation": (
        (
            "ry(2 * arccos(sqrt(0.2))) q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0]; "
            "bit x_; bit z_; z_ = measure q[0]; x_ = measure q[1]; "
            "if (x_) { x q[2]; } if (z_) { z q[2]; } "
            "c[0] = measure q[2];"
        ),
        None,
    ),
}


def assert_distributed(counts: dict[str, int], expected: dict[str, float]) -> None:
    total = sum(counts.values())
    assert set(counts) <= set(expected), counts
    for key, probability in expected.items():
        error = 5 * (total * probability * (1 - probability)) ** 0.5
        assert abs(counts.get(key, 0) - total * probability) <= error, (key, counts)


@RUNNERS
@pytest.mark.parametrize("name", [name for name in PROGRAMS if PROGRAMS[name][1]])
def test_a_program_has_the_outcomes_that_it_should(backend: Backend, name: str):
    statements, expected = PROGRAMS[name]
    # Only the bits of `c` count; other registers stand before it.
    counts: dict[str, int] = {}
    for key, count in run(backend, HEADER + statements).items():
        counts[key[-4:]] = counts.get(key[-4:], 0) + count
    assert_distributed(counts, expected or {})


@RUNNERS
def test_conditions_on_scalars_are_conditions_of_operations(backend: Backend):
    source = HEADER + PROGRAMS["teleportation"][0]
    assert not parse(source).has_control
    ones = sum(count for key, count in run(backend, source).items() if key[-1] == "1")
    assert abs(ones - 0.8 * SHOTS) < 5 * (SHOTS * 0.16) ** 0.5


@RUNNERS
def test_a_loop_without_an_end_is_stopped(backend: Backend):
    source = HEADER + "while (c[0] == 0) { c[0] = measure q[0]; }"
    with pytest.raises(UnboundedLoopError, match="more than 10,000 rounds"):
        run(backend, source, shots=2)


def test_a_loop_without_measurements_is_refused_at_once():
    with pytest.raises(CircuitError, match="no measurement ends them"):
        parse(HEADER + "while (c[0] == 0) { x q[0]; }")


def test_what_no_measurement_decides_is_computed_at_once():
    circuit = parse(
        HEADER + 'c = "0110"; if (c[1] && c[2]) { x q[0]; } while (c > 4) { c = c - 1; y q; }'
    )
    assert [operation.name for operation in circuit.operations] == ["x"] + ["y"] * 6
    assert not circuit.has_control


def test_stabilizer_circuits_run_with_control_flow():
    source = HEADER + PROGRAMS["break"][0]
    counts = run(LOCAL, source, method="stabilizer")
    assert_distributed(counts, PROGRAMS["break"][1] or {})


def test_noise_acts_in_loops():
    source = HEADER + "while (c[1] == 0) { x q[0]; c[0] = measure q[0]; c[1] = 1; }"
    options = RunOptions(noise=Noise(depolarizing_1q=0.5, readout=0.0))
    counts = run(CPU, source, options=options)
    assert_distributed(counts, {"0011": 3 / 4, "0010": 1 / 4})


@pytest.mark.parametrize(
    "noise",
    [
        Noise(depolarizing_1q=1.0),
        Noise(gates=(("x", GateNoise(pauli=(("X", 0.5),))),)),
        Noise(gates=(("x", GateNoise(amplitude_damping=0.5)),)),
        Noise(t1_us=1.0, gate_time_1q_us=math.log(2)),
        Noise(readout=0.5),
    ],
)
def test_noise_differs_in_each_round_of_a_loop(noise: Noise):
    source = HEADER + (
        "uint[2] n = 0; while (c[0] == 0 && n < 3) "
        "{ x q[0]; c[0] = measure q[0]; reset q[0]; n += 1; } c[1:2] = n;"
    )
    counts = run(CPU, source, options=RunOptions(noise=noise))
    assert_distributed(counts, {"0011": 1 / 2, "0101": 1 / 4, "0111": 1 / 8, "0110": 1 / 8})


def test_measured_bits_are_misread_in_loops():
    source = HEADER + "while (c[1] == 0) { c[0] = measure q[0]; c[1] = 1; } c[2] = c[0];"
    options = RunOptions(noise=Noise(readout=0.25))
    counts = run(CPU, source, options=options)
    assert_distributed(counts, {"0111": 1 / 4, "0010": 3 / 4})
    counts = run(CPU, HEADER + "h q[0]; c[0] = measure q[0]; c[3] = c[0] || c[1];", options=options)
    assert_distributed(counts, {"0000": 1 / 2, "1001": 1 / 2})


@RUNNERS
def test_a_loop_of_thousands_of_rounds_runs(backend: Backend):
    source = HEADER + (
        "for int i in [1:4000] { ry(0.1) q[0]; c[0] = measure q[0]; if (c[0]) { break; } }"
    )
    assert run(backend, source, shots=20) == {"0001": 20}


def test_too_many_variables_go_to_a_backend_that_computes_them():
    source = HEADER + (
        "int[32] n = 1; for int i in [1:1000] "
        "{ h q[0]; c[0] = measure q[0]; if (c[0]) { n = n * n + i; } } c[1] = n == 5;"
    )
    analysis = analyse(parse(source))
    refusal = CPU.methods(analysis, 100, RunOptions())
    assert isinstance(refusal, Refusal)
    assert "write fewer rounds of loops, smaller integers or fewer products" in refusal.reason
    fleet = Fleet({"aer_simulator": CPU, "local_simulator": LOCAL}, memory_limit=1 << 34)
    chosen = fleet.decide(unrouted(), analysis, QueueFigures()).chosen
    assert chosen is not None
    assert chosen.backend == "local_simulator"


@pytest.mark.parametrize("backend", [CIRQ, PENNYLANE, GPU])
def test_other_backends_say_that_they_have_no_control_flow(backend: Backend):
    analysis = analyse(parse(HEADER + PROGRAMS["break"][0]))
    assert isinstance(analysis, Analysis)
    assert analysis.has_control
    refusal = backend.methods(analysis, 100, RunOptions())
    assert isinstance(refusal, Refusal)
    assert "local_simulator and aer_simulator do" in refusal.reason


def test_the_figures_of_a_circuit_with_control_flow():
    analysis = analyse(
        parse(HEADER + "h q; while (c[0] == 0) { cx q[0], q[1]; c[0] = measure q[0]; }")
    )
    assert (analysis.gate_count, analysis.circuit_depth) == (5, 3)
    assert analysis.gate_counts == {"h": 3, "cx": 1, "measure": 1}
    assert analysis.has_mid_circuit
    assert not analysis.measures_all
