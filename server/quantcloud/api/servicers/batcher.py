"""The batcher of outgoing messages: what is ready together is sent in one message."""

from collections import deque
from typing import Generic, TypeVar

from quantcloud.api.large import LARGE_BYTES

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """Items that wait to be sent, in order. A batch has at most `LARGE_BYTES`, or one item."""

    __slots__ = ("_waiting", "size")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Item, int]] = deque()
        self.size = 0
        """How many bytes wait."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether the items fill more than one batch."""
        return self.size > LARGE_BYTES and len(self._waiting) > 1

    def add(self, item: Item, size: int) -> None:
        """Add an item of `size` bytes."""
        self._waiting.append((item, size))
        self.size += size

    def take(self) -> list[Item]:
        """Remove and return the next batch: at least one item."""
        batch: list[Item] = []
        total = 0
        while self._waiting and (not batch or total + self._waiting[0][1] <= LARGE_BYTES):
            item, size = self._waiting.popleft()
            batch.append(item)
            total += size
        self.size -= total
        return batch

    def clear(self) -> None:
        """Drop all items."""
        self._waiting.clear()
        self.size = 0
