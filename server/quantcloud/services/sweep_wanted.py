"""What a request asks for beyond counts at one point, as it was sent."""

from collections.abc import Mapping
from dataclasses import field
from typing import Final, Literal, NamedTuple

from quantcloud.domain.value_object import value_object

VALUE_BYTES: Final = 8
KEPT: Final = 32
"""How many requests' observables are kept, to be found again."""
KEPT_TERMS: Final = 512
"""The most terms of those."""
Kind = Literal["pauli", "sparse", "projector"]


class WantedTerm(NamedTuple):
    """A term as it was sent: the text of its `kind` of operator."""

    kind: Kind
    text: str
    coefficient: float


WantedObservables = tuple[tuple[WantedTerm, ...], ...]
"""The terms of observables."""


@value_object
class SweepWanted:
    """The fields of a request that make its job a sweep, as they were sent.

    `parameters` are finite numbers as in `domain.sweep`. `zipped` is the pairing.
    """

    parameters: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    observables: WantedObservables = ()
    zipped: bool = False
    precision: float | None = None
    gradient: bool = False
    variances: bool = False
    probabilities: bool = False
    packed: bool = False


NO_SWEEP: Final = SweepWanted()
