"""Identifiers that sort by time."""

import re
import secrets
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LOW_BITS = 62
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Return whether `text` has the form of an id."""
    return _UUID.fullmatch(text) is not None


def time_ordered_id(at: datetime) -> str:
    """Return a UUID of version 7 (RFC 9562, section 5.7): the millisecond of `at`, 74 random bits.

    New rows are neighbours in an index of such ids, so that inserts stay cheap in a large table.
    The ids cannot be guessed.
    """
    milliseconds = (at - _EPOCH) // _MILLISECOND
    # One draw for all bits: each draw releases the GIL.
    drawn, low = divmod(secrets.randbits(12 + _LOW_BITS), 1 << _LOW_BITS)
    high = milliseconds << 16 | 0x7000 | drawn
    digits = f"{high << 64 | 0b10 << _LOW_BITS | low:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
