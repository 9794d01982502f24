"""The work grows with the histories, not with the shots, and few states exist at any time."""

import numpy as np
import pytest

from quantcloud.backends.local.statevector import Statevector
from quantcloud.backends.simulation.branching import run
from quantcloud.backends.simulation.programs import program
from unit.backends.exact import read


class CountingState(Statevector):
    """A statevector that counts its instances and their evolutions."""

    __slots__ = ()
    alive = 0
    most_alive = 0
    evolutions = 0

    def __init__(self, *args):
        super().__init__(*args)
        CountingState.alive += 1
        CountingState.most_alive = max(CountingState.most_alive, CountingState.alive)

    def __del__(self):
        CountingState.alive -= 1

    def evolve(self, gates):
        CountingState.evolutions += 1
        super().evolve(gates)


@pytest.fixture(autouse=True)
def reset_counters():
    CountingState.alive = CountingState.most_alive = CountingState.evolutions = 0


def test_few_histories_take_few_evolutions_for_many_shots():
    divided = program(
        read("""
            qreg q[2]; creg c[3];
            h q[0]; measure q[0]->c[0]; h q[0]; measure q[0]->c[1]; h q[0]; measure q[0]->c[2];
        """)
    )
    counts = run(divided, CountingState(2), 10**9, np.random.default_rng(0))
    assert sum(counts.values()) == 10**9
    assert all(abs(count / 10**9 - 1 / 8) < 1e-3 for count in counts.values())
    assert CountingState.evolutions == 1 + 2 + 4


def test_many_histories_need_few_states():
    rounds = "".join(f"h q[0]; measure q[0] -> c[{bit}];" for bit in range(60))
    divided = program(read(f"qreg q[2]; creg c[60]; {rounds} h q[0]; measure q[0] -> c[59];"))
    shots = 1000
    counts = run(divided, CountingState(2), shots, np.random.default_rng(0))
    assert sum(counts.values()) == shots
    assert len(counts) == shots
    # The waiting states, the running state, and the caller's first state.
    assert CountingState.most_alive <= np.log2(shots) + 2


def test_certain_outcomes_do_not_branch():
    divided = program(
        read("""
            qreg q[2]; creg c[2]; x q[0]; measure q[0]->c[0]; if (c==1) x q[1];
            reset q[0]; cx q[0],q[1]; measure q[1]->c[1];
        """)
    )
    counts = run(divided, CountingState(2), 1000, np.random.default_rng(0))
    assert counts == {"11": 1000}
    assert CountingState.most_alive == 1
