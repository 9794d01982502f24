"""The tables of the contract that the Lua files of Envoy's filters read."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from comments import PACKAGE, http, pool_of, services
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

_HEAD = """\
-- The contract, for the Lua files of Envoy's filters. `make gen` writes this file.
--
-- `calls` has the RPCs with an HTTP path: the path over gRPC, the message of the body, the query
-- parameters, and whether the answer is a stream. `messages` has the keys of each message in a
-- body, and the message of each key's value. The message `any` stands for all other values, and
-- `object` for those that are objects. They have every key.
-- `lists` in a message says how deep the lists of a key's value may be nested. A key that it leaves
-- out takes no list. `enums` has the words of each enum.
"""
# The messages of protobuf whose JSON is an object of the caller's own.
_ANY = "any"
_OBJECT = "object"
_VARIABLE = re.compile(r"{\w+}")
_MAGIC = re.compile(r"[-.]")
_NAME = re.compile(r"[A-Za-z_]\w*")


def lua_tables(contract: FileDescriptorSet) -> str:
    """Return the text of the Lua file."""
    calls: list[Any] = []
    messages: dict[str, Any] = {_ANY: {"types": {"*": _ANY}}}
    enums: dict[str, str] = {}
    for method in chain.from_iterable(
        service.methods for service in services(contract, pool_of(contract))
    ):
        verb, path = http(method)
        if not path:
            continue
        free = [f for f in method.input_type.fields if f"{{{f.name}}}" not in path]
        call = _call(verb.upper(), path, method, free)
        calls.append({**call, "stream": True} if method.server_streaming else call)
        if verb in {"post", "put"}:
            _add(messages, method.input_type, free)
        for field in _all_fields(free, set()):
            if field.enum_type is not None:
                enums[field.enum_type.full_name] = _words(field)
    table = {
        "calls": sorted(calls, key=lambda call: call["route"]),
        "messages": dict(sorted(messages.items())),
        "enums": dict(sorted(enums.items())),
    }
    return f"{_HEAD}return {_lua(table)}\n"


def _call(verb: str, path: str, method: Any, free: Sequence[FieldDescriptor]) -> Any:
    names = [field.name for field in free]
    rpc = f"/{method.containing_service.full_name}/{method.name}"
    call: dict[str, Any] = {"route": f"{verb} {path}", "rpc": rpc}
    if _VARIABLE.search(path):
        escaped = _MAGIC.sub(lambda match: f"%{match[0]}", f"{verb} {path}")
        call["pattern"] = f"^{_VARIABLE.sub('[^/]+', escaped)}$"
    if verb in {"POST", "PUT"}:
        call["body"] = method.input_type.name
        names = []
    call["query"] = {**dict(enumerate(names, 1)), "types": dict.fromkeys(names, _ANY)}
    return call


def _add(messages: dict[str, Any], message: Descriptor, fields: Iterable[FieldDescriptor]) -> None:
    """Add a message and those in it."""
    if message.name in messages:
        return
    names = [field.name for field in fields]
    types: dict[str, str] = {}
    lists: dict[str, int] = {}
    messages[message.name] = {**dict(enumerate(names, 1)), "types": types}
    for field in fields:
        inner = field.message_type
        is_object = inner is not None and inner.full_name == "google.protobuf.Struct"
        types[field.name] = _OBJECT if is_object else _ANY
        if field.is_repeated and not (inner and inner.GetOptions().map_entry):
            is_list = inner is not None and inner.full_name == "google.protobuf.ListValue"
            lists[field.name] = 2 if is_list else 1
            messages[message.name]["lists"] = lists
        if inner is None or inner.file.package != PACKAGE:
            continue
        if inner.GetOptions().map_entry:
            value = inner.fields_by_name["value"]
            types[field.name] = f"{message.name}.{field.name}"
            messages[types[field.name]] = {"types": {"*": _ANY}}
            if value.message_type is not None and value.message_type.file.package == PACKAGE:
                messages[types[field.name]] = {"types": {"*": value.message_type.name}}
                _add(messages, value.message_type, value.message_type.fields)
        else:
            types[field.name] = inner.name
            _add(messages, inner, inner.fields)


def _all_fields(fields: Iterable[FieldDescriptor], seen: set[str]) -> Iterator[FieldDescriptor]:
    """Yield the fields, and those of the messages in them."""
    for field in fields:
        yield field
        inner = field.message_type
        if inner is not None and inner.file.package == PACKAGE and inner.full_name not in seen:
            yield from _all_fields(inner.fields, seen | {inner.full_name})


def _words(field: FieldDescriptor) -> str:
    """The words of a field's enum that a request may contain, without the one for 0."""
    words = {value.number: value.name for value in reversed(field.enum_type.values)}
    return ", ".join(words[number] for number in sorted(words) if number)


def _lua(value: Any, indent: str = "") -> str:
    """Return a value as Lua. In a dict, the keys from 1 on are a list."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return json.dumps(value)
    inner = indent + "  "
    items: Mapping[Any, Any] = dict(enumerate(value, 1)) if isinstance(value, list) else value
    parts = [
        _lua(item, inner) if isinstance(key, int) else f"{_lua_key(key)} = {_lua(item, inner)}"
        for key, item in items.items()
    ]
    line = f"{{{', '.join(parts)}}}"
    if len(indent) + len(line) <= 100 and "\n" not in line:  # noqa: PLR2004  # a line's length
        return line
    return "{\n" + "".join(f"{inner}{part},\n" for part in parts) + f"{indent}}}"


def _lua_key(key: str) -> str:
    return key if _NAME.fullmatch(key) else f"[{json.dumps(key)}]"
