"""Requests from plain Python values. An error names the field and what would be right."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from quantcloud.client.errors import InvalidRequest
from thequantcloud.v1 import circuit_pb2

_Request = TypeVar("_Request", bound=Message)
_PACKAGE = circuit_pb2.DESCRIPTOR.package
_FORMS = {
    FieldDescriptor.CPPTYPE_INT32: "a whole number from -2147483648 to 2147483647",
    FieldDescriptor.CPPTYPE_INT64: "a whole number",
    FieldDescriptor.CPPTYPE_DOUBLE: "a finite number",
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "a text",
}
# The longest value that an error shows, in characters.
_SHOWN = 60


def parse(content: dict[str, Any], request: _Request) -> _Request:
    """Fill the request, and return it. Raises `InvalidRequest` if a value has the wrong form."""
    try:
        return ParseDict(content, request)
    except ParseError as error:
        unknown = ("", f"the request is invalid: {error}")
        field, problem = next(_faults(content, cast("Descriptor", request.DESCRIPTOR), ""), unknown)
        # Callers give the options of a run beside its other arguments.
        field = field.removeprefix("options.")
        raise InvalidRequest(f"{field}: {problem}" if field else problem, field=field) from error


def _faults(content: object, message: Descriptor, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and the problem of each value that does not fit the message."""
    known = ", ".join(message.fields_by_name)
    if not isinstance(content, Mapping):
        yield path, f"must be an object with any of {known}"
        return
    for name, value in cast("Mapping[str, Any]", content).items():
        where = f"{path}.{name}" if path else name
        field = message.fields_by_name.get(name)
        if field is None:
            yield where, f"is unknown; known are {known}"
        elif value is not None:
            yield from _faults_of_field(value, field, where)


def _faults_of_field(value: Any, field: FieldDescriptor, path: str) -> Iterator[tuple[str, str]]:
    inner = field.message_type
    target = field
    # The path of each value, the value, and the field's content with this value alone.
    parts: list[tuple[str, Any, Any]] = [(path, value, value)]
    if inner is not None and inner.GetOptions().map_entry:
        if not isinstance(value, Mapping):
            yield path, "must be an object"
            return
        target = inner.fields_by_name["value"]
        items = cast("Mapping[str, Any]", value).items()
        if wrong := [key for key, _ in items if not isinstance(key, str)]:  # pyright: ignore[reportUnnecessaryIsInstance]
            yield path, f"must have texts as keys, has {wrong[0]!r}"
            return
        parts = [(f"{path}.{key}", item, {key: item}) for key, item in items]
    elif field.is_repeated:
        if not isinstance(value, list | tuple):
            yield path, "must be a list"
            return
        items = enumerate(cast("list[Any]", value))
        parts = [(f"{path}[{index}]", item, [item]) for index, item in items]
    ours = target.message_type
    for where, item, alone in parts:
        if ours is not None and ours.file.package == _PACKAGE:
            yield from _faults(item, ours, where)
        elif not _fits(field, alone):
            yield where, f"must be {_form(target)}, is {repr(item)[:_SHOWN]}"


def _fits(field: FieldDescriptor, content: object) -> bool:
    message = GetMessageClass(cast("Descriptor", field.containing_type))
    try:
        ParseDict({field.name: content}, message())
    except ParseError:
        return False
    return True


def _form(field: FieldDescriptor) -> str:
    if field.enum_type is not None:
        # The first word for each number; the one for 0 says that none was given.
        words = {each.number: each.name for each in reversed(field.enum_type.values)}
        return f"one of {', '.join(words[number] for number in sorted(words) if number)}"
    if field.message_type is not None:
        lists = field.message_type.name == "ListValue"
        return "a list" if lists else "an object of JSON values"
    return _FORMS[field.cpp_type]
