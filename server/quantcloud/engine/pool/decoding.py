"""Decodes large answers off the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# Answers up to this many bytes are decoded on the event loop, in about a millisecond.
_MAX_INLINE = 64 << 10


async def decoded(payload: bytes, decode: Callable[[bytes], Result]) -> Result:
    """Decode an answer. Raises the errors of `decode`."""
    if len(payload) <= _MAX_INLINE:
        return decode(payload)
    return await asyncio.to_thread(decode, payload)
