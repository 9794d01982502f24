"""The OpenAPI document of the REST API, from the contract, its comments and Envoy's routes."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from comments import PACKAGE, comments, files, groups, reasons
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXAMPLES: Mapping[str, Any] = json.loads((ROOT / "docs/examples/requests.json").read_text())
Json = dict[str, Any]

INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
TYPES: Mapping[int, Json] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32", **INT32},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
}
KNOWN: Mapping[str, Json] = {
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.rpc.Status": {"$ref": "#/components/schemas/Status"},
}
# JSON keys that these messages do not know are refused; elsewhere the server ignores them.
CLOSED = {"RunOptions", "NoiseModel"}
KEYWORDS = {
    "minimum": "minimum",
    "exclusive_minimum": "exclusiveMinimum",
    "maximum": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "min_items": "minItems",
    "max_items": "maxItems",
}
ORDER = (
    "CircuitService", "JobService", "BackendService", "AccountService", "ApiKeyService",
    "StatusService",
)  # fmt: skip
VARIABLE = re.compile(r"{(\w+)}")
STATUS = re.compile(r"\((\d{3})\)")
# The statuses of every path, of a path with credentials, and of a path with a body.
ANYWHERE, WITH_CREDENTIALS, WITH_BODY = {400, 429, 431, 500, 503, 504}, {401, 403}, {408, 413, 415}
INTRODUCTION = (
    "Fields that are absent over gRPC are null in a response. An error has a text for people in "
    "`detail` and the same for programs in `details`. New fields, enum words and reasons may be "
    "added, so ignore what you do not know. In requests, null means absent. As in all JSON of "
    "protobuf, a number may also be a text, and an enum word may be its number."
)
MEANINGS = {
    408: "The request took too long to arrive.",
    413: "The body is too large.",
    415: "The body has a type other than application/json.",
    431: "The headers are too large.",
}


def document(contract: FileDescriptorSet) -> str:
    """The text of the document."""
    # Parsed here, where the options of the contract are known.
    from thequantcloud.v1 import access_pb2, limits_pb2  # noqa: PLC0415

    contract = FileDescriptorSet.FromString(contract.SerializeToString())
    made = _Document(contract, access_pb2, limits_pb2).make()
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


class _Document:
    def __init__(self, contract: FileDescriptorSet, access: Any, limits: Any) -> None:
        self._contract = contract
        self._access, self._limits = access, limits.limits
        self._comments = comments(contract)
        self._pool = DescriptorPool()
        for file in contract.file:
            self._pool.Add(file)
        self._statuses = success_statuses()
        self._schemas: Json = {}

    def make(self) -> Json:
        paths: Json = {}
        tags: list[Json] = []
        for service in self._services():
            tag = service.name.removesuffix("Service")
            tags.append({"name": tag, "description": self._comments[service.full_name]})
            for method in service.methods:
                verb, path = _http(method)
                if path:
                    paths.setdefault(path, {})[verb] = self._operation(method, verb, path, tag)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "TheQuantCloud API",
                "version": PROJECT["version"],
                "description": f"{PROJECT['description']}\n\n{INTRODUCTION}",
                "license": {"name": PROJECT["license"], "identifier": PROJECT["license"]},
            },
            "servers": [{"url": "/", "description": "The server that has this document."}],
            "tags": tags,
            "paths": paths,
            "components": {
                "schemas": dict(sorted({**self._schemas, **self._error_schemas()}.items())),
                "responses": self._error_responses(),
                "parameters": {"IdempotencyKey": self._idempotency_key()},
                "headers": HEADERS,
                "securitySchemes": SECURITY,
            },
            "x-error-reasons": [each._asdict() for each in reasons(self._contract)],
        }

    def _services(self) -> list[Any]:
        """The services, those that most clients use first."""
        found = [
            service
            for file in files(self._contract)
            for service in self._pool.FindFileByName(file.name).services_by_name.values()
        ]
        return sorted(found, key=lambda service: ORDER.index(service.name))

    def _operation(self, method: Any, verb: str, path: str, tag: str) -> Json:
        text = self._comments[method.full_name]
        in_path = set(VARIABLE.findall(path))
        rest = [field for field in method.input_type.fields if field.name not in in_path]
        with_body = verb in {"post", "put"} and bool(rest)
        access = method.GetOptions().Extensions[self._access.access]
        rule = self._access.Access.Rule.Name(access)
        parameters = [self._parameter(field, in_path, verb) for field in method.input_type.fields]
        if "idempotency key" in text:
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        made: Json = {
            "operationId": method.name,
            "tags": [tag],
            "summary": re.split(r"(?<=\.) |\n", text)[0].rstrip("."),
            "description": text,
            "security": REQUIREMENTS[rule],
        }
        if parameters := [each for each in parameters if each]:
            made["parameters"] = parameters
        if with_body:
            made["requestBody"] = self._body(method, verb, rest)
        made["responses"] = self._responses(method, verb, path, rule)
        return made

    def _parameter(self, field: FieldDescriptor, in_path: set[str], verb: str) -> Json | None:
        place = "path" if field.name in in_path else "query"
        if place == "query" and verb in {"post", "put"}:
            return None
        return {
            "name": field.name,
            "in": place,
            "required": place == "path",
            "description": self._comments[field.full_name],
            "schema": self._field(field, in_url=True),
        }

    def _body(self, method: Any, verb: str, fields: Sequence[FieldDescriptor]) -> Json:
        schema = self._reference(method.input_type)
        if len(fields) < len(method.input_type.fields):
            self._schemas[method.input_type.name] = self._object(method.input_type, fields)
        content: Json = {"schema": schema}
        if method.name in EXAMPLES:
            content["examples"] = EXAMPLES[method.name]
        # An update without fields changes nothing.
        return {"required": verb != "put", "content": {"application/json": content}}

    def _responses(self, method: Any, verb: str, path: str, rule: str) -> Json:
        headers = [*LIMIT_HEADERS] if rule != "anyone" else []
        success: Json = {
            "description": self._comments[method.output_type.full_name].split("\n")[0],
            "headers": {name: _header(name) for name in ("X-Request-Id", *headers)},
            "content": {"application/json": {"schema": self._reference(method.output_type)}},
        }
        if method.server_streaming:
            success["content"] = {
                "text/event-stream": {"schema": _event(self._reference(method.output_type))}
            }
        text = (
            self._comments[method.full_name] + self._comments[method.containing_service.full_name]
        )
        errors = ANYWHERE | {int(status) for status in STATUS.findall(text)}
        errors |= WITH_CREDENTIALS if rule != "anyone" else set()
        errors |= WITH_BODY if verb in {"post", "put"} else set()
        errors |= {409} if "idempotency key" in text.partition("Errors")[2] else set()
        if not path.count("{"):
            errors -= {404}
        made = {str(status): {"$ref": f"#/components/responses/{status}"} for status in errors}
        if method.name == "GetHealth":
            made["503"] = _error_response(STATUS_503, "Unhealthy", ["Retry-After"])
        return {str(self._statuses.get((verb, path), 200)): success, **dict(sorted(made.items()))}

    def _reference(self, message: Descriptor) -> Json:
        if message.full_name in KNOWN:
            return dict(KNOWN[message.full_name])
        if message.name not in self._schemas:
            self._schemas[message.name] = {}  # a message may contain itself
            self._schemas[message.name] = self._object(message, message.fields)
        return {"$ref": f"#/components/schemas/{message.name}"}

    def _object(self, message: Descriptor, fields: Sequence[FieldDescriptor]) -> Json:
        made: Json = {
            "type": "object",
            "description": self._comments[message.full_name],
            "properties": {field.name: self._field(field) for field in fields},
        }
        # The server sends every field of a response.
        if required := [field.name for field in fields if not _is_optional(field)]:
            made["required"] = required
        if message.name in CLOSED:
            made["additionalProperties"] = False
        return made

    def _field(self, field: FieldDescriptor, *, in_url: bool = False) -> Json:
        text = self._comments[field.full_name]
        limits = field.GetOptions().Extensions[self._limits]
        schema = self._value(field)
        if field.is_repeated and not _is_map(field):
            schema = {"type": "array", "items": schema}
        for limit, value in limits.ListFields():
            if limit.name in KEYWORDS:
                number = int(value) if isinstance(value, float) and value.is_integer() else value
                schema[KEYWORDS[limit.name]] = number
        if limits.printable:
            schema["pattern"] = r"\S"
        if limits.max_bytes:
            text += f" At most {limits.max_bytes:,} bytes."
            if field.type == FieldDescriptor.TYPE_STRING:
                schema["maxLength"] = limits.max_bytes
        if in_url:
            return schema
        return {**(_nullable(schema) if _is_nullable(field) else schema), "description": text}

    def _value(self, field: FieldDescriptor) -> Json:
        if _is_map(field):
            (value,) = (f for f in field.message_type.fields if f.name == "value")
            return {"type": "object", "additionalProperties": self._value(value)}
        if field.message_type is not None:
            return self._reference(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(TYPES[field.type])

    def _enum(self, enum: EnumDescriptor) -> Json:
        words = [value.name for value in enum.values if value.name != "unspecified"]
        parent = self._comments[enum.full_name]
        listed = (f"- `{word}`: {self._comments[f'{enum.full_name}.{word}']}" for word in words)
        name = f"{enum.containing_type.name}{enum.name}"
        self._schemas[name] = {
            "type": "string",
            "enum": words,
            "description": "\n".join((parent, "", *listed)),
        }
        return {"$ref": f"#/components/schemas/{name}"}

    def _idempotency_key(self) -> Json:
        field = self._pool.FindFieldByName(f"{PACKAGE}.RunStreamRequest.idempotency_key")
        limits = field.GetOptions().Extensions[self._limits]
        return {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Makes a retry safe: for 24 hours the same key with the same request "
            "returns the first answer and creates no second job.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": limits.max_length,
                "pattern": limits.pattern,
            },
        }

    def _error_responses(self) -> Json:
        listed = reasons(self._contract)
        meanings = groups(self._contract)
        made: Json = {}
        for status in sorted({each.status for each in listed} | MEANINGS.keys()):
            own = [each for each in listed if each.status == status]
            codes = dict.fromkeys(each.code for each in own)
            heads = [MEANINGS[status]] if status in MEANINGS else []
            heads += [f"{code}: {meanings[code]}" for code in codes]
            lines = [f"- `{each.name}`: {each.cause} {each.remedy}" for each in own]
            extra = {401: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}
            text = "\n".join([*heads, "", *lines]).strip()
            made[str(status)] = _error_response(text, "Error", extra.get(status, []))
        return made

    def _error_schemas(self) -> Json:
        names = "\n".join(f"- `{each.name}`: {each.cause}" for each in reasons(self._contract))
        made = json.loads((Path(__file__).with_name("error_schemas.json")).read_text())
        made["ErrorInfo"]["properties"]["reason"]["description"] += f"\n\n{names}"
        return made


def success_statuses() -> dict[tuple[str, str], int]:
    """The status of success by method and path, for those that Envoy gives another than 200."""
    template = yaml.safe_load((ROOT / "envoy" / "envoy.yaml").read_text())
    found: dict[tuple[str, str], int] = {}
    for route in _routes(template):
        notes = route.get("metadata", {}).get("filter_metadata", {})
        status = notes.get("envoy.filters.http.lua", {}).get("success_status")
        if status:
            (verb,) = (
                header["string_match"]["exact"].lower()
                for header in route["match"]["headers"]
                if header["name"] == ":method"
            )
            found[verb, route["match"]["path"]] = int(status)
    return found


def _routes(node: Any) -> Iterator[Json]:
    """The routes of the virtual host `api`, once."""
    if isinstance(node, dict) and node.get("name") == "api" and "routes" in node:
        yield from node["routes"]
        return
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        if routes := list(_routes(child)):
            yield from routes
            return


def _http(method: Any) -> tuple[str, str]:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return (verb, getattr(rule, verb)) if verb else ("", "")


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _behavior(field: FieldDescriptor) -> list[int]:
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _is_optional(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.OPTIONAL in _behavior(field)


def _is_nullable(field: FieldDescriptor) -> bool:
    """Whether JSON may have null: in responses for `optional` fields, in requests for any field
    that is not required.
    """
    synthetic = field.containing_oneof is not None and len(field.containing_oneof.fields) == 1
    return synthetic or _is_optional(field)


def _nullable(schema: Json) -> Json:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _event(schema: Json) -> Json:
    """A server-sent event, as OpenAPI 3.2 describes the items of a stream."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {
        "type": "object",
        "description": "A server-sent event. Its data is JSON.",
        "properties": {"data": data},
        "required": ["data"],
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


def _error_response(text: str, schema: str, headers: Sequence[str]) -> Json:
    return {
        "description": text,
        "headers": {name: _header(name) for name in ("X-Request-Id", *headers)},
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


_integer = partial(dict, type="integer", minimum=0)
LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
HEADERS: Json = {
    "X-Request-Id": {
        "description": "The id of the request. Report it to the operator if something is wrong.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-RateLimit-Limit": {
        "description": "The requests per minute of your tier. Absent if there is no limit.",
        "schema": _integer(),
    },
    "X-RateLimit-Remaining": {
        "description": "The requests that are left.",
        "schema": _integer(),
    },
    "X-RateLimit-Reset": {
        "description": "When the oldest request no longer counts, in seconds since 1970.",
        "schema": _integer(),
    },
    "Retry-After": {
        "description": "Seconds to wait before the next try. Absent if waiting does not help.",
        "schema": _integer(),
    },
    "WWW-Authenticate": {
        "description": "The scheme of the credentials, as in RFC 6750.",
        "schema": {"type": "string"},
    },
}
SECURITY: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A JWT, or an API key where one is accepted.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key.",
    },
}
REQUIREMENTS: Mapping[str, list[Json]] = {
    "anyone": [],
    "account": [{"bearer": []}, {"apiKey": []}],
    "jwt": [{"bearer": []}],
}
STATUS_503 = "UNAVAILABLE: the server accepts no jobs. `detail` has the cause."
