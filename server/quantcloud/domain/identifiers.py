"""Identifiers that sort by time."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LOW_BITS = 62


def time_ordered_id(at: datetime) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): the millisecond of `at`, then 74 random bits.

    New rows stand beside each other in an index of such ids, however many there are. Nobody guesses
    one of them.
    """
    milliseconds = (at - _EPOCH) // _MILLISECOND
    # Drawn in one go: each draw lets other threads run first.
    drawn, low = divmod(secrets.randbits(12 + _LOW_BITS), 1 << _LOW_BITS)
    high = milliseconds << 16 | 0x7000 | drawn
    return str(UUID(int=high << 64 | 0b10 << _LOW_BITS | low))
