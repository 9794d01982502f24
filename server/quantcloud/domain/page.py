"""A page of a listing."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from quantcloud.domain.immutable import immutable

T = TypeVar("T")


@immutable
class Page(Generic[T]):
    """`items`, newest first, of `total` that match; `limit` and `offset` as they were applied."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int
