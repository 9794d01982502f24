"""The work of a run, and the coefficients that turn work into time."""

from typing import NamedTuple

from quantcloud.domain.value_object import value_object


class Work(NamedTuple):
    """The amounts of work in a run, by kind; 0 if a kind does not occur.

    `operations` counts gates, measurements and resets in all evolutions of the state. `light`,
    `dense` and `wide` count the amplitudes that gates process: diagonal gates and permutations,
    other gates on one or two qubits, and gates on three or more. `state` counts the amplitudes
    that are processed once for each state, to prepare it and to sample from it. `samples` counts
    the work for the shots. Methods without amplitudes document what they count instead.
    """

    operations: float = 0.0
    light: float = 0.0
    dense: float = 0.0
    wide: float = 0.0
    state: float = 0.0
    samples: float = 0.0


@value_object
class Coefficients:
    """Seconds for each unit of a `Work`, and for the start of a run."""

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
