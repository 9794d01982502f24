"""The resources of a machine that a run takes, as its backend states them."""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

from quantcloud.backends.base import Backend
from quantcloud.domain.value_object import value_object

# Ray itself counts resources with these names.
_BUILT_IN = frozenset({"CPU", "GPU", "memory", "object_store_memory"})


@value_object
class Resources:
    """The resources that one run on a backend occupies until it ends.

    `cpus` is the number of cores, and of threads that numerical libraries may start. `gpus` may be
    a fraction, so that several runs share one. `memory_bytes` is how much memory the run may take;
    None stands for the server's usual limit. `custom` counts any other resources of a machine,
    such as `{"qpu": 1}`. Amounts above 1 are whole numbers.

    The local engine treats all runs alike and reads only `gpus`: if no backend that is online
    states any, no run can access a GPU.
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
            raise ValueError("a run must take some cpus, gpus or a custom resource")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")


_DEFAULT = Resources()


def resources_of(backend: Backend) -> Resources:
    """Return the `resources` attribute of `backend`, or one core if it has none.

    Raises `TypeError` if the attribute is not a `Resources`.
    """
    stated = getattr(backend, "resources", _DEFAULT)
    if not isinstance(stated, Resources):
        raise TypeError(f"resources must be a backends.resources.Resources, got {stated!r}")
    return stated
