"""The cursors that clients keep, as text that has no meaning for them.

A cursor says which version of this format it has, which database gave it, which listing it is of,
and a position in that listing.
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from enum import Enum
from struct import Struct
from typing import Any, Final

from quantcloud.domain.errors import InvalidArgument

EPOCH_BYTES: Final = 8
"""How long the name of a database is."""
INVALID_CURSOR: Final = "INVALID_CURSOR"
"""The reason of every error about a cursor that is none of this database."""
_VERSION: Final = 1
_HEAD: Final = Struct(f">B{EPOCH_BYTES}sB")
# No cursor is longer.
_LONGEST: Final = 64


class Listing(Enum):
    """What a cursor is of: its number in the cursor, and what a position consists of."""

    EVENTS = 1, ">q"
    """A number: that of an event of the account."""
    JOBS = 2, ">q16s"
    """When a job was submitted, in microseconds since 1970, and the bytes of its id."""
    CIRCUITS = 3, ">q16s"
    """When a circuit was saved, in microseconds since 1970, and the bytes of its id."""

    def __init__(self, number: int, position: str) -> None:
        self.number = number
        self.position = Struct(position)


class Cursors:
    """Writes and reads the cursors of one database, which `epoch` names."""

    def __init__(self, epoch: bytes) -> None:
        self._epoch = epoch

    def write(self, listing: Listing, *position: Any) -> str:
        """The cursor of a position."""
        head = _HEAD.pack(_VERSION, self._epoch, listing.number)
        content = head + listing.position.pack(*position)
        return urlsafe_b64encode(content).rstrip(b"=").decode()

    def read(self, field: str, listing: Listing, cursor: str) -> tuple[Any, ...]:
        """The position of a cursor. Raises `InvalidArgument` for one that `write` did not give."""
        content = _decoded(cursor)
        if len(content) != _HEAD.size + listing.position.size:
            raise _foreign(field)
        version, epoch, number = _HEAD.unpack_from(content)
        if version != _VERSION or number != listing.number:
            raise _foreign(field)
        if epoch != self._epoch:
            raise InvalidArgument(
                field,
                "is the cursor of another database, or of this one before it was restored; "
                "begin again without it",
                reason=INVALID_CURSOR,
            )
        return listing.position.unpack_from(content, _HEAD.size)


def _foreign(field: str) -> InvalidArgument:
    return InvalidArgument(
        field, "must be a cursor that an answer had, unchanged", reason=INVALID_CURSOR
    )


def _decoded(cursor: str) -> bytes:
    """The bytes that a text stands for; none where it stands for no bytes."""
    if len(cursor) > _LONGEST:
        return b""
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
