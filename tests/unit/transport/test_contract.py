"""What holds for the whole contract."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

PROTO = Path(__file__).parents[3] / "proto"
FILES: list[Any] = [
    import_module(".".join(path.relative_to(PROTO).with_suffix("").parts) + "_pb2").DESCRIPTOR
    for path in sorted(PROTO.rglob("*.proto"))
]
INTEGERS = {
    FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64,
}  # fmt: skip


def messages(among: Iterable[Descriptor]) -> Iterator[Descriptor]:
    """These messages and those inside them; not the entries of maps."""
    for message in among:
        if not message.GetOptions().map_entry:
            yield message
            yield from messages(message.nested_types)


FIELDS = [
    field
    for file in FILES
    for message in messages(file.message_types_by_name.values())
    for field in message.fields
]


def test_a_number_that_answers_and_requests_have_is_of_one_type():
    types = defaultdict(set)
    for field in FIELDS:
        if field.type in INTEGERS:
            types[field.name.removeprefix("after_")].add(field.type)
    assert not [name for name, each in types.items() if len(each) > 1]
    assert types["sequence"] == {FieldDescriptor.TYPE_INT32}
