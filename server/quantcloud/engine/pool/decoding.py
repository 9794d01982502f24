"""Answers that are large are decoded off the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# Answers up to so many bytes are decoded on the event loop, in about a millisecond.
_MAX_INLINE = 64 << 10


async def decoded(payload: bytes, decode: Callable[[bytes], Result]) -> Result:
    """Decode an answer. Raises what `decode` does."""
    if len(payload) <= _MAX_INLINE:
        return decode(payload)
    return await asyncio.to_thread(decode, payload)
