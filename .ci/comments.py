"""The contract: its services, and its comments, from its descriptor with source info."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

PACKAGE = "thequantcloud.v1"
# The numbers of the fields that hold the parts of a file, a message, an enum and a service.
_FILE = {4: "message_type", 5: "enum_type", 6: "service"}
_MESSAGE = {2: "field", 3: "nested_type", 4: "enum_type", 8: "oneof_decl"}
_ENUM = {2: "value"}
_SERVICE = {2: "method"}
_PARTS: Mapping[str, Mapping[int, str]] = {
    "FileDescriptorProto": _FILE,
    "DescriptorProto": _MESSAGE,
    "EnumDescriptorProto": _ENUM,
    "ServiceDescriptorProto": _SERVICE,
}
_GROUP = re.compile(r"(?P<code>[A-Z_]+) \((?P<status>\d{3})\): (?P<meaning>.+)")


class Reason(NamedTuple):
    """A reason of errors: its gRPC code, HTTP status, cause and remedy."""

    name: str
    code: str
    status: int
    cause: str
    remedy: str


def files(contract: FileDescriptorSet) -> Iterator[FileDescriptorProto]:
    """The contract's own files."""
    return (file for file in contract.file if file.package == PACKAGE)


def pool_of(contract: FileDescriptorSet) -> DescriptorPool:
    """A pool with the files of the contract, which knows the options that are imported here."""
    pool = DescriptorPool()
    for file in FileDescriptorSet.FromString(contract.SerializeToString()).file:
        pool.Add(file)
    return pool


def services(contract: FileDescriptorSet, pool: DescriptorPool) -> Iterator[ServiceDescriptor]:
    """The services of the contract."""
    for file in files(contract):
        yield from pool.FindFileByName(file.name).services_by_name.values()


def http(method: MethodDescriptor) -> tuple[str, str]:
    """The verb, in lower case, and the path of a method; "" if it has none."""
    rule: Any = method.GetOptions().Extensions[annotations_pb2.http]
    verb: str | None = rule.WhichOneof("pattern")
    return (verb, getattr(rule, verb)) if verb else ("", "")


def comments(contract: FileDescriptorSet) -> dict[str, str]:
    """The comment of every part of the contract by its full name, without lint directives."""
    found: dict[str, str] = {}
    for file in files(contract):
        for location in file.source_code_info.location:
            if location.leading_comments and (name := _name(file, location.path)):
                found[name] = _text(location.leading_comments)
    return found


def reasons(contract: FileDescriptorSet) -> list[Reason]:
    """Every reason of `ErrorReason.Name`, in the order of the contract."""
    (file,) = (file for file in files(contract) if file.name.endswith("/error_reason.proto"))
    found: list[Reason] = []
    code, status = "", 0
    for location in file.source_code_info.location:
        name = _name(file, location.path).rpartition(".")[2]
        if len(location.path) != 6 or name == "UNSPECIFIED":  # noqa: PLR2004  # message, enum, value
            continue
        for detached in location.leading_detached_comments:
            group = _GROUP.fullmatch(_text(detached))
            if group is None:
                raise ValueError(f"{name}: the comment above is not 'CODE (STATUS): meaning'")
            code, status = group["code"], int(group["status"])
        cause, separator, remedy = _text(location.leading_comments).partition("\n\n")
        if not separator:
            raise ValueError(f"{name}: the comment has no remedy after an empty line")
        found.append(Reason(name, code, status, cause, remedy))
    return found


def groups(contract: FileDescriptorSet) -> dict[str, str]:
    """The meaning of each gRPC code of `ErrorReason.Name`, such as "the request is wrong."."""
    (file,) = (file for file in files(contract) if file.name.endswith("/error_reason.proto"))
    texts = (
        _text(detached)
        for location in file.source_code_info.location
        for detached in location.leading_detached_comments
    )
    found = (match for text in texts if (match := _GROUP.fullmatch(text)))
    return {match["code"]: match["meaning"] for match in found}


def _name(file: FileDescriptorProto, path: Sequence[int]) -> str:
    """The full name of the part at a path of source info; "" if it is something else."""
    node: Any = file
    names = [file.package]
    for number, index in zip(path[::2], path[1::2], strict=False):
        part = _PARTS.get(type(node).__name__, {}).get(number)
        if part is None:
            return ""
        node = getattr(node, part)[index]
        names.append(node.name)
    return ".".join(names) if len(path) and len(path) % 2 == 0 else ""


def _text(comment: str) -> str:
    """A comment as paragraphs, each on one line."""
    lines = (line.strip() for line in comment.splitlines())
    kept: Iterable[str] = (line for line in lines if not line.startswith("buf:lint"))
    return "\n\n".join(
        " ".join(block.split()) for block in "\n".join(kept).strip().split("\n\n") if block
    )
