"""Messages in serialised form, with their JSON nulls.

Messages contain others: an event has a job and a result, and a list has many items. Each is
serialised once, by itself, and what contains it is put together from these bytes. While protobuf
serialises a message, no other Python code runs: for a result of a million outcomes, 0.7 s. So a
large one is made in parts.

Concatenated parts are read as one message, see
https://protobuf.dev/programming-guides/encoding/#last-one-wins.
"""

from collections.abc import Container, Iterable, Sequence
from functools import cache
from typing import Final, TypeVar, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.aio.offload import Work
from quantcloud.api.encoding import tag, varint
from quantcloud.api.json_nulls import add_json_nulls

LARGE_BYTES: Final = 1 << 20
"""From this size, a message is sent alone. By default, gRPC clients accept up to 4 MiB."""

M = TypeVar("M", bound=Message)


class Serialised:
    """A serialised message with its JSON nulls, in parts."""

    __slots__ = ("parts", "size")

    def __init__(self, *parts: bytes) -> None:
        self.parts: Sequence[bytes] = parts
        self.size = sum(map(len, parts))

    @classmethod
    def of(cls, message: Message, but: Container[str] = ()) -> "Serialised":
        """Return a response. The fields named in `but` are added later, so they are not null."""
        add_json_nulls(message, but)
        return cls(message.SerializeToString())

    def stand_for(self, kind: type[M]) -> M:
        """Return itself where a servicer returns a message of this `kind`."""
        del kind
        return cast("M", self)

    def field(self, head: Message, name: str) -> Iterable[bytes]:
        """Return the parts of the field of `head` that has this message."""
        return (_tag(head.DESCRIPTOR, name), varint(self.size), *self.parts)


@cache
def _tag(message: Descriptor, field: str) -> bytes:
    return tag(message.fields_by_name[field].number)


def with_fields(head: Message, **contents: Serialised) -> Serialised:
    """Return `head` with these messages in its fields."""
    parts = [*Serialised.of(head, contents).parts]
    for name, content in contents.items():
        parts += content.field(head, name)
    return Serialised(*parts)


async def with_items(
    head: Message, field: str, items: Iterable[Message | Serialised]
) -> Serialised:
    """Return `head` with these messages in its repeated `field`."""
    parts = [*Serialised.of(head).parts]
    yielder = Yielder()
    for item in items:
        await yielder.yield_if_due()
        content = item if isinstance(item, Serialised) else Serialised.of(item)
        parts += content.field(head, field)
    return Serialised(*parts)


async def bytes_of(message: Message) -> bytes:
    """Return the bytes of a response with its JSON nulls."""
    response = message if isinstance(message, Serialised) else Serialised.of(message)
    if len(response.parts) > 1:
        # `bytes.join` releases the interpreter while it copies megabytes.
        joined = await offload.run(Work.COPY.cost(response.size), b"".join, response.parts)
        # Many watchers of a job send the same message.
        response.parts = (joined,)
    return response.parts[0]
