"""What a run takes of the machine that it runs on, as a backend states it."""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from quantcloud.backends.base import Backend
from quantcloud.domain.value_object import value_object

# What Ray counts by itself, under these names.
_BUILT_IN = frozenset({"CPU", "GPU", "memory", "object_store_memory"})


@value_object
class Resources:
    """What one run on a backend takes for itself, for as long as it lasts.

    `cpus` are cores, which are also how many threads numerical libraries may start. `gpus` may be
    a fraction, where several runs share one. `memory_bytes` is how much memory the run may take;
    None is what the server gives to any run. `custom` names anything else of which a machine has
    so many, such as `{"qpu": 1}`. Amounts above 1 are whole numbers.

    The local engine has one place for any run. Of all this it heeds only `gpus`: where no backend
    that is online states any, no run reaches a GPU.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory_bytes: int | None = None
    custom: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        amounts = {"cpus": self.cpus, "gpus": self.gpus, **self.custom}
        for name, amount in amounts.items():
            if amount < 0 or (amount > 1 and amount != int(amount)):
                raise ValueError(
                    f"{name} must be a fraction up to 1 or a whole number, got {amount}"
                )
        if taken := _BUILT_IN & self.custom.keys():
            raise ValueError(f"custom resources cannot be called {', '.join(sorted(taken))}")
        if not any(amounts.values()):
            raise ValueError("a run must take something: of cpus, gpus or a custom resource")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")


_DEFAULT = Resources()


def resources_of(backend: Backend) -> Resources:
    """What a run on `backend` takes: its attribute `resources`, or one core where it has none.

    Raises `TypeError` where that is something else.
    """
    stated = getattr(backend, "resources", _DEFAULT)
    if not isinstance(stated, Resources):
        raise TypeError(f"resources must be of quantcloud.backends.resources, got {stated!r}")
    return stated
