"""Circuits, and the methods that backends offer for them."""

from quantcloud.circuits import analyse
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal
from unit.backends.exact import with_header

SHOTS = 1024
PLAIN = RunOptions()
NOISY = RunOptions(noise=Noise(0.01, 0.02, 0.03))


def wide(num_qubits, gate="cp(0.3)", rounds=10):
    """Return a circuit that is neither Clifford nor sparse, unless `gate` makes it so."""
    pairs = "".join(
        f"{gate} q[{i}],q[{i + 1}];" for _ in range(rounds) for i in range(num_qubits - 1)
    )
    return f"qreg q[{num_qubits}]; creg c[{num_qubits}]; h q[0]; {pairs} measure q -> c;"


def ghz(num_qubits):
    return wide(num_qubits, "cx", 1)


def methods(backend, source, options=PLAIN, shots=SHOTS):
    return backend.methods(analyse(parse(with_header(source))), shots, options)


def names(offer):
    assert not isinstance(offer, Refusal), offer
    assert [method.seconds for method in offer] == sorted(method.seconds for method in offer)
    assert all(method.memory_bytes > 0 for method in offer)
    return {method.name for method in offer}
