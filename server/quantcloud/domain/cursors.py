"""The cursors that clients keep, as opaque text.

A cursor holds the version of its format, the database that it comes from, its listing, and a
position in that listing.
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from enum import Enum
from struct import Struct
from typing import Any, Final

from quantcloud.domain.errors import InvalidArgument

EPOCH_BYTES: Final = 8
"""The length of a database's name."""
INVALID_CURSOR: Final = "INVALID_CURSOR"
"""The reason of every error about a cursor that this database did not issue."""
_VERSION: Final = 1
_HEAD: Final = Struct(f">B{EPOCH_BYTES}sB")
# All cursors are shorter.
_LONGEST: Final = 64


class Listing(Enum):
    """The listing of a cursor: its number in the cursor, the format of a position, and the name of
    the field in which clients get it.
    """

    EVENTS = 1, ">q", "cursor"
    """The number of an event of the account."""
    JOBS = 2, ">q16s", "next_page_token"
    """The job's submission time in microseconds since 1970, and the bytes of its id."""
    CIRCUITS = 3, ">q16s", "next_page_token"
    """The circuit's creation time in microseconds since 1970, and the bytes of its id."""

    def __init__(self, number: int, position: str, field: str) -> None:
        self.number = number
        self.position = Struct(position)
        self.field = field


class Cursors:
    """Writes and reads the cursors of one database, whose name is `epoch`."""

    def __init__(self, epoch: bytes) -> None:
        self._epoch = epoch

    def write(self, listing: Listing, *position: Any) -> str:
        """Return the cursor of a position."""
        head = _HEAD.pack(_VERSION, self._epoch, listing.number)
        content = head + listing.position.pack(*position)
        return urlsafe_b64encode(content).rstrip(b"=").decode()

    def read(self, field: str, listing: Listing, cursor: str) -> tuple[Any, ...]:
        """Return a cursor's position. Raises `InvalidArgument` if `write` did not make it."""
        content = _decoded(cursor)
        if len(content) != _HEAD.size + listing.position.size:
            raise _invalid(field, listing)
        version, epoch, number = _HEAD.unpack_from(content)
        if version != _VERSION or number != listing.number:
            raise _invalid(field, listing)
        if epoch != self._epoch:
            raise InvalidArgument(
                field,
                "belongs to another database, or to this one before it was restored; "
                "begin again without it",
                reason=INVALID_CURSOR,
            )
        return listing.position.unpack_from(content, _HEAD.size)


def _invalid(field: str, listing: Listing) -> InvalidArgument:
    return InvalidArgument(
        field, f"must be a {listing.field} from a response, unchanged", reason=INVALID_CURSOR
    )


def _decoded(cursor: str) -> bytes:
    """Decode a cursor from base64; return no bytes if it is not base64."""
    if len(cursor) > _LONGEST:
        return b""
    try:
        return b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
