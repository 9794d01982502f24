"""What a backend says of itself to users and to the router."""

from enum import StrEnum

from quantcloud.domain.value_object import value_object


class BackendStatus(StrEnum):
    """Whether a backend takes jobs."""

    ONLINE = "online"
    OFFLINE = "offline"


@value_object
class BackendInfo:
    """The fixed facts of a backend.

    `num_qubits` is the width that it runs for any circuit on this machine; a method may reach
    further for circuits that suit it. `cost_per_shot` is in US dollars.
    """

    name: str
    provider: str
    num_qubits: int
    native_gates: tuple[str, ...]
    description: str
    is_simulator: bool = True
    cost_per_shot: float = 0.0
