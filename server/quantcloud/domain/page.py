"""A page of a listing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """`items`, newest first, of `total` that match; `limit` and `offset` as they were applied."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int
