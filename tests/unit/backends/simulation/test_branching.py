"""The work grows with the histories, not the shots, and little is held at any time."""

import numpy as np
import pytest

from quantcloud.backends.local.statevector import Statevector
from quantcloud.backends.simulation.branching import run
from quantcloud.backends.simulation.programs import program
from unit.backends.exact import read


class Watched(Statevector):
    """A statevector that counts how many of its kind are evolved and alive."""

    __slots__ = ()
    alive = 0
    most_alive = 0
    evolutions = 0

    def __init__(self, *args):
        super().__init__(*args)
        Watched.alive += 1
        Watched.most_alive = max(Watched.most_alive, Watched.alive)

    def __del__(self):
        Watched.alive -= 1

    def evolve(self, gates):
        Watched.evolutions += 1
        super().evolve(gates)


@pytest.fixture(autouse=True)
def reset_counters():
    Watched.alive = Watched.most_alive = Watched.evolutions = 0


def test_few_histories_cost_little_for_many_shots():
    divided = program(
        read("""
            qreg q[2]; creg c[3];
            h q[0]; measure q[0]->c[0]; h q[0]; measure q[0]->c[1]; h q[0]; measure q[0]->c[2];
        """)
    )
    tally = run(divided, Watched(2), 10**9, np.random.default_rng(0))
    assert sum(tally.counts.values()) == 10**9
    assert all(abs(count / 10**9 - 1 / 8) < 1e-3 for count in tally.counts.values())
    assert Watched.evolutions == 1 + 2 + 4


def test_many_histories_hold_few_states():
    rounds = "".join(f"h q[0]; measure q[0] -> c[{bit}];" for bit in range(60))
    divided = program(read(f"qreg q[2]; creg c[60]; {rounds} h q[0]; measure q[0] -> c[59];"))
    shots = 1000
    tally = run(divided, Watched(2), shots, np.random.default_rng(0))
    assert sum(tally.counts.values()) == shots
    assert len(tally.counts) == shots
    # Those that wait, the one that runs, and the first, which is the caller's.
    assert Watched.most_alive <= np.log2(shots) + 2


def test_what_is_certain_does_not_branch():
    divided = program(
        read("""
            qreg q[2]; creg c[2]; x q[0]; measure q[0]->c[0]; if (c==1) x q[1];
            reset q[0]; cx q[0],q[1]; measure q[1]->c[1];
        """)
    )
    tally = run(divided, Watched(2), 1000, np.random.default_rng(0))
    assert tally.counts == {"11": 1000}
    assert Watched.most_alive == 1
