"""Constant propagation is right for every gate, and for computed and uncomputed qubits."""

import itertools
import math

import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.circuits import expanded
from quantcloud.circuits.certain import decided
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, Operation, Register
from quantcloud.domain.execution import NO_OPTIONS
from quantcloud.openqasm import examine, parse
from unit.backends.exact import distribution

ANGLES = (0.0, 0.7, math.pi, 2 * math.pi)


def _cases():
    for name, gate in STANDARD_GATES.items():
        # Only the first angle is not a phase.
        for angle in ANGLES[: len(ANGLES) if gate.num_params else 1]:
            params = (angle, *(0.3,) * (gate.num_params - 1))[: gate.num_params]
            yield pytest.param(name, params, id=f"{name}-{angle:.1f}")


@pytest.mark.parametrize(("name", "params"), [*_cases()])
def test_all_certain_outcomes_after_one_gate_are_found(name, params):
    width = STANDARD_GATES[name].num_qubits
    qubits = tuple(range(width))
    for ones in itertools.product((False, True), repeat=width):
        operations = [
            *(Operation("x", (qubit,)) for qubit in qubits if ones[qubit]),
            Operation(name, qubits, params),
            *(Operation("measure", (qubit,), clbits=(qubit,)) for qubit in qubits),
        ]
        registers = (Register("q", 0, width),), (Register("c", 0, width),)
        outcomes = [
            key[::-1]
            for key, likely in distribution(Circuit(*registers, tuple(operations))).items()
            if likely > 1e-9
        ]
        certain = {
            qubit: int(outcomes[0][qubit])
            for qubit in qubits
            if len({outcome[qubit] for outcome in outcomes}) == 1
        }
        assert decided(operations).fixed == certain


def _left(source: str, *, noisy: bool = False) -> list[str]:
    """The names of the operations left, without unconditional gates."""
    kept = decided(expanded(parse(source)).operations, noisy=noisy).operations
    return [each.name for each in kept if each.condition or each.name in ("measure", "reset")]


HEAD = "qreg q[5]; creg c[3]; h q[0]; h q[1]; h q[2];"


@pytest.mark.parametrize(
    "statements",
    [
        "reset q[3];",
        "x q[3]; reset q[3];",
        "ccx q[0],q[1],q[3]; t q[0]; ccx q[0],q[1],q[3]; reset q[3];",
        "x q[0]; rccx q[0],q[1],q[3]; ccx q[3],q[2],q[4]; ccx q[3],q[2],q[4]; "  # noqa: ISC004
        "rccx q[0],q[1],q[3]; x q[0]; reset q[3]; reset q[4];",
        "cx q[0],q[3]; swap q[3],q[4]; cx q[0],q[4]; reset q[4]; reset q[3];",
        "cx q[0],q[3]; cx q[1],q[3]; cx q[0],q[3]; cx q[1],q[3]; reset q[3];",
        "x q[3]; measure q[3] -> c[0]; if (c==1) h q[4];",
        "measure q[3] -> c[0]; if (c==1) reset q[0];",
        "reset q[3]; crx(0.4) q[3],q[4]; reset q[4];",
    ],
)
def test_certain_operations_are_removed(statements):
    assert _left(HEAD + statements) == []
    analysis = examine("OPENQASM 2.0; " + HEAD + statements + "measure q[0] -> c[2];")
    assert (analysis.has_mid_circuit, analysis.branching_count) == (False, 0)


@pytest.mark.parametrize(
    ("statements", "left"),
    [
        ("reset q[0];", ["reset"]),
        ("ccx q[0],q[1],q[3]; h q[0]; ccx q[0],q[1],q[3]; reset q[3];", ["reset"]),
        ("measure q[0] -> c[0]; if (c==1) x q[3];", ["measure", "x"]),
        # The condition reads a certain bit between uncertain ones.
        (
            "measure q[0] -> c[0]; measure q[3] -> c[1]; measure q[1] -> c[2]; if (c==1) x q[4];",
            ["measure", "measure", "measure", "x"],
        ),
        # A qubit that is flipped depending on its own measurement.
        ("measure q[0] -> c[0]; if (c==1) x q[0]; reset q[0];", ["measure", "x"]),
        ("measure q[0] -> c[0]; if (c==1) measure q[3] -> c[1]; reset q[3];", ["measure"] * 2),
    ],
)
def test_uncertain_operations_are_kept(statements, left):
    assert _left(HEAD + statements) == left


def test_with_noise_only_untouched_qubits_are_certain():
    source = HEAD + "reset q[4]; x q[3]; reset q[3]; reset q[3]; measure q[3] -> c[0];"
    assert _left(source, noisy=True) == ["reset", "measure"]
    analysis = examine("OPENQASM 2.0; " + source)
    assert (analysis.has_mid_circuit, analysis.branching_count) == (False, 0)
    noisy = analysis.of_run(noisy=True)
    assert (noisy.has_mid_circuit, noisy.branching_count) == (True, 1)


def test_the_size_of_functions_is_bounded():
    # Sums and products of 40 variables.
    pairs = "".join(f"h q[{n}]; cx q[{n}],q[40]; " for n in range(40))
    both = "".join(f"ccx q[{n}],q[{41 + n}],q[{42 + n}]; " for n in range(39))
    source = f"qreg q[82]; creg c[1]; {pairs} h q[41]; {both} reset q[40]; reset q[80];"
    assert _left(source) == ["reset", "reset"]


def test_resets_of_uncomputed_qubits_do_not_branch():
    step = (
        "x q[0]; ccx q[0],q[1],q[5]; ccx q[5],q[2],q[6]; cx q[6],q[3]; ccx q[5],q[2],q[6]; "
        "ccx q[0],q[1],q[5]; x q[0]; reset q[5]; reset q[6]; h q[0]; "
    )
    source = "OPENQASM 2.0; qreg q[21]; creg c[1]; h q[0]; h q[1]; h q[2]; " + step * 1000
    walk = examine(source + "measure q[3] -> c[0];")
    assert not walk.has_mid_circuit
    methods = aer.CPU.methods(walk, 1024, NO_OPTIONS)
    assert methods[0].seconds < 600
