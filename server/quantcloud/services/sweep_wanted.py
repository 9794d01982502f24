"""What a request asks for beyond counts at one point, as it was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final, Literal

from quantcloud.domain.value_object import value_object

VALUE_BYTES: Final = 8
Kind = Literal["pauli", "sparse", "projector"]


@value_object
class WantedTerm:
    """A term as it was sent: the text of its `kind` of operator."""

    kind: Kind
    text: str
    coefficient: float


@value_object
class SweepWanted:
    """The fields of a request that make its job a sweep, as they were sent.

    `parameters` are finite numbers as in `domain.sweep`. `zipped` is the pairing.
    """

    parameters: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    observables: Sequence[Sequence[WantedTerm]] = ()
    zipped: bool = False
    precision: float | None = None
    gradient: bool = False
    variances: bool = False
    probabilities: bool = False
    packed: bool = False


NO_SWEEP: Final = SweepWanted()
