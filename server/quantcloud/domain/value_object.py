"""Values: what nobody changes once it is made."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_object(cls: type[T]) -> type[T]:
    """A dataclass with slots, of equal instances that hash alike, which nothing may change.

    The type checker holds all of this package to that. `dataclass(frozen=True)` would at run time,
    for the price of a call for each field whenever one is made: several times what the rest takes,
    and a job's life makes hundreds. It is for what other people's backends are handed.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
