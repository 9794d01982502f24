"""How a backend describes itself to users and to the router."""

from enum import StrEnum

from quantcloud.domain.value_object import value_object


class BackendStatus(StrEnum):
    """Whether a backend takes jobs."""

    ONLINE = "online"
    OFFLINE = "offline"


@value_object
class BackendInfo:
    """The static description of a backend.

    It runs any circuit of up to `num_qubits` qubits on this machine. Some methods run wider
    circuits of a suitable kind. `cost_per_shot` is in US dollars. `packages` are the distributions
    whose versions a run's counts depend on.
    """

    name: str
    provider: str
    num_qubits: int
    native_gates: tuple[str, ...]
    description: str
    is_simulator: bool = True
    cost_per_shot: float = 0.0
    packages: tuple[str, ...] = ()
