"""What a run takes time for, and how much time."""

from typing import NamedTuple

from quantcloud.domain.value_object import value_object


class Work(NamedTuple):
    """What there is to do in a run, by what it takes time for; zero where that does not occur.

    `operations` are gates, measurements and resets one by one, over all evolutions of the state.
    `light`, `dense` and `wide` are the amplitudes that gates of these kinds go over: diagonal ones
    and permutations, other gates on one or two qubits, gates on three or more. `state` is what is
    gone over once for each state (its amplitudes, to make it and to sample from it), `samples`
    what is done for each shot. A method that has no amplitudes says in its place what it has.
    """

    operations: float = 0.0
    light: float = 0.0
    dense: float = 0.0
    wide: float = 0.0
    state: float = 0.0
    samples: float = 0.0


@value_object
class Coefficients:
    """Seconds for each unit of a `Work`, and for beginning a run."""

    start: float
    operation: float
    light: float = 0.0
    dense: float = 0.0
    wide: float = 0.0
    state: float = 0.0
    sample: float = 0.0

    def seconds(self, work: Work) -> float:
        """Predict how long a run takes."""
        return (
            self.start
            + self.operation * work.operations
            + self.light * work.light
            + self.dense * work.dense
            + self.wide * work.wide
            + self.state * work.state
            + self.sample * work.samples
        )
