"""Reads the `idempotency-key` of a call."""

import asyncio
import hashlib

from google.protobuf.message import Message

from quantcloud.domain.errors import InvalidArgument
from quantcloud.storage import IdempotencyKey

HEADER = "idempotency-key"
_MAXIMUM_LENGTH = 255
# From this size in bytes, a request is digested in another thread.
_LARGE = 64 * 1024


async def idempotency_key(
    key: str | None, request: Message, field: str = HEADER
) -> IdempotencyKey | None:
    """Return the caller's key with a digest of the request, or None without a key.

    Raises `InvalidArgument` that names `field` if the key is not valid.
    """
    if key is None:
        return None
    if not 0 < len(key) <= _MAXIMUM_LENGTH or not (key.isascii() and key.isprintable()):
        raise InvalidArgument(field, f"must have 1 to {_MAXIMUM_LENGTH} printable characters")
    large = request.ByteSize() >= _LARGE
    return IdempotencyKey(
        key, await asyncio.to_thread(_digest, request) if large else _digest(request)
    )


def _digest(request: Message) -> bytes:
    digest = hashlib.sha256(f"{request.DESCRIPTOR.full_name}\n".encode())
    digest.update(request.SerializeToString(deterministic=True))
    return digest.digest()
