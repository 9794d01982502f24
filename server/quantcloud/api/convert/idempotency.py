"""Reads the `idempotency-key` of a call."""

import hashlib
from typing import Final

from google.protobuf.message import Message

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.api.convert.limits import fits, limits_of
from quantcloud.domain.errors import InvalidArgument
from quantcloud.storage import IdempotencyKey
from thequantcloud.v1 import circuit_pb2

_LIMITS: Final = limits_of(
    circuit_pb2.RunStreamRequest.DESCRIPTOR.fields_by_name["idempotency_key"]
)


async def idempotency_key(key: str | None, request: Message, field: str) -> IdempotencyKey | None:
    """Return the caller's key with a digest of the request, or None without a key.

    Raises `InvalidArgument` that names `field` if the key is not valid.
    """
    if key is None:
        return None
    if not key or not fits(_LIMITS, key):
        raise InvalidArgument(field, f"must have 1 to {_LIMITS.max_length} printable characters")
    cost = Work.DIGEST.cost(request.ByteSize())
    return IdempotencyKey(key, await offload.run(cost, _digest, request))


def _digest(request: Message) -> bytes:
    digest = hashlib.sha256(f"{request.DESCRIPTOR.full_name}\n".encode())
    digest.update(request.SerializeToString(deterministic=True))
    return digest.digest()
