"""Identifiers, which sort by time."""

import re
import secrets
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LOW_BITS = 62
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether `text` could be an id of ours."""
    return _UUID.fullmatch(text) is not None


def time_ordered_id(at: datetime) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7): the millisecond of `at`, then 74 random bits.

    New rows stand beside each other in an index of such ids, however many there are. Nobody guesses
    one of them.
    """
    milliseconds = (at - _EPOCH) // _MILLISECOND
    # Drawn in one go: each draw lets other threads run first.
    drawn, low = divmod(secrets.randbits(12 + _LOW_BITS), 1 << _LOW_BITS)
    high = milliseconds << 16 | 0x7000 | drawn
    digits = f"{high << 64 | 0b10 << _LOW_BITS | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
