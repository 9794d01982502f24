"""The cursors that clients keep, as text that has no meaning for them.

A cursor says which version of this format it has, which database gave it, and the position of an
event in that database.
"""

import binascii
from base64 import b64decode, urlsafe_b64encode
from struct import Struct
from typing import Final

from quantcloud.domain.errors import InvalidArgument

EPOCH_BYTES: Final = 8
"""How long the name of a database is."""
INVALID_CURSOR: Final = "INVALID_CURSOR"
"""The reason of every error about a cursor that is none of this database."""
_VERSION: Final = 1
_FORMAT: Final = Struct(f">B{EPOCH_BYTES}sQ")
_LAST_POSITION: Final = (1 << 63) - 1
_LENGTH: Final = -(-_FORMAT.size * 4 // 3)


class Cursors:
    """Writes and reads the cursors of one database, which `epoch` names."""

    def __init__(self, epoch: bytes) -> None:
        self._epoch = epoch

    def write(self, position: int) -> str:
        """The cursor of a position, 0 or more."""
        content = _FORMAT.pack(_VERSION, self._epoch, position)
        return urlsafe_b64encode(content).rstrip(b"=").decode()

    def read(self, field: str, cursor: str) -> int:
        """The position of a cursor. Raises `InvalidArgument` for one that `write` did not give."""
        version, epoch, position = _content(cursor) or (0, b"", 0)
        if version != _VERSION or position > _LAST_POSITION:
            raise InvalidArgument(
                field, "must be a cursor that an answer had, unchanged", reason=INVALID_CURSOR
            )
        if epoch != self._epoch:
            raise InvalidArgument(
                field,
                "is the cursor of another database, or of this one before it was restored; "
                "list the jobs, and watch without it from now on",
                reason=INVALID_CURSOR,
            )
        return position


def _content(cursor: str) -> tuple[int, bytes, int] | None:
    """What a cursor says; None where it is not written as one."""
    if len(cursor) != _LENGTH:
        return None
    try:
        content = b64decode(cursor + "=" * (-_LENGTH % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    version, epoch, position = _FORMAT.unpack(content)
    return version, epoch, position
