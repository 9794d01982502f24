"""Large messages: serialised in parts, so that other calls are answered meanwhile.

While protobuf serialises a message, no other Python code runs: for 100,000 outcomes of a result
18 ms, for a million 0.7 s. So such a message is built from parts that are serialised one by one.
Concatenated parts are read as one message, see
https://protobuf.dev/programming-guides/encoding/#last-one-wins.
"""

from collections.abc import Sequence
from typing import Final, TypeVar, cast

from google.protobuf.message import Message

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.aio.offload import Work
from quantcloud.api.encoding import tag, varint
from quantcloud.api.json_nulls import add_json_nulls

LARGE_BYTES: Final = 1 << 20
"""From this size, a message is sent alone. By default, gRPC clients accept up to 4 MiB."""

M = TypeVar("M", bound=Message)


class LargeMessage:
    """The parts of a serialised message, with its JSON nulls."""

    __slots__ = ("parts", "size")

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))

    def ByteSize(self) -> int:  # noqa: N802  # as of a message
        return self.size

    def stand_for(self, kind: type[M]) -> M:
        """Return itself where a servicer returns a message of this `kind`."""
        del kind
        return cast("M", self)


async def encoded(message: Message, *, over_rest: bool = True) -> bytes:
    """Return the bytes of a response, with its JSON nulls if it goes over REST or is large."""
    if isinstance(message, LargeMessage):
        # `bytes.join` releases the interpreter while it copies megabytes.
        return await offload.run(Work.COPY.cost(message.size), b"".join, message.parts)
    if over_rest:
        add_json_nulls(message)
    else:
        # Another caller may have got the same message over REST.
        message.DiscardUnknownFields()
    return message.SerializeToString()


async def with_field(head: M, field: str, contents: Sequence[Message]) -> M:
    """Return `head` with these messages in its `field`, which it may repeat.

    The message is large if one of them is, or if they are together.
    """
    descriptor = head.DESCRIPTOR.fields_by_name[field]
    inside = getattr(head, field)
    if not _are_large(contents):
        if descriptor.is_repeated:
            inside.extend(contents)
        else:
            inside.CopyFrom(contents[0])
        return head
    if not descriptor.is_repeated:
        inside.SetInParent()  # so that it is not null
    add_json_nulls(head)
    head.ClearField(field)
    parts = [head.SerializeToString()]
    yielder = Yielder()
    for content in contents:
        await yielder.yield_if_due()
        inner = _parts(content)
        parts += tag(descriptor.number), varint(sum(map(len, inner))), *inner
    return LargeMessage(parts).stand_for(type(head))


def _are_large(contents: Sequence[Message]) -> bool:
    if any(isinstance(content, LargeMessage) for content in contents):
        return True
    return sum(content.ByteSize() for content in contents) > LARGE_BYTES


def _parts(message: Message) -> Sequence[bytes]:
    if isinstance(message, LargeMessage):
        return message.parts
    add_json_nulls(message)
    return (message.SerializeToString(),)
