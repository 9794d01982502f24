"""Value objects: instances do not change after they are created."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(cls: type[T]) -> type[T]:
    """Make a dataclass with slots and a hash, which the type checker treats as frozen.

    `dataclass(frozen=True)` also refuses changes at run time, but instances take several times as
    long to create, and one job needs hundreds. Use it for objects that third-party backends get.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
