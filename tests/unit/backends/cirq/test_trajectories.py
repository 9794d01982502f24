"""Gates that shots of a noisy circuit share are translated once, up to a limit."""

from quantcloud.backends.cirq.executor import CirqExecutor
from quantcloud.backends.cirq.noise import TrajectoryCircuits
from quantcloud.circuits.ir import Operation
from quantcloud.domain.execution import Noise
from unit.backends.exact import read, run

NOISE = Noise(depolarizing_1q=0.1)
MIDWAY = "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; if(c==1) x q[1]; measure q -> c;"


def gates(number):
    return [Operation("rx", (0,), (float(number),))] * 10


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr("quantcloud.backends.cirq.noise.MOST_GATES_KEPT", 25)
    circuits = TrajectoryCircuits(1, NOISE)
    kept = [circuits.of(gates(number)) for number in range(4)]
    again = [circuits.of(gates(number)) for number in range(4)]
    assert [one is other for one, other in zip(kept, again, strict=True)] == [
        *(True, True),
        *(False, False),
    ]


def test_the_first_circuit_is_kept_whatever_its_length(monkeypatch):
    monkeypatch.setattr("quantcloud.backends.cirq.noise.MOST_GATES_KEPT", 5)
    circuits = TrajectoryCircuits(1, NOISE)
    assert circuits.of(gates(1)) is circuits.of(gates(1))


def test_counts_are_the_same_without_a_cache(monkeypatch):
    circuit, executor = read(MIDWAY), CirqExecutor()
    plain = run(executor, "trajectories", circuit, shots=200, noise=NOISE).counts
    monkeypatch.setattr("quantcloud.backends.cirq.noise.MOST_GATES_KEPT", 0)
    assert run(executor, "trajectories", circuit, shots=200, noise=NOISE).counts == plain
    assert sum(plain.values()) == 200
