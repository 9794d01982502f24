"""The OpenAPI document of the REST API, from the contract, its comments and Envoy's routes."""

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from comments import PACKAGE, comments, groups, http, pool_of, reasons, services
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from openapi_schemas import Json, Schemas

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXAMPLES: Mapping[str, Any] = json.loads((ROOT / "docs/examples/requests.json").read_text())
COMPONENTS: Json = json.loads(Path(__file__).with_name("openapi_components.json").read_text())

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
    "added, so ignore what you do not know. In requests, null means absent. The server refuses a "
    "key or a query parameter that it does not know, and a key that is there twice. As in all JSON "
    "of protobuf, a number may also be a text, and an enum word may be its number. A body may be "
    "packed as gzip, and long answers are packed for clients that accept it."
)
MEANINGS = {
    408: "The request took too long to arrive.",
    413: "The body is too large.",
    415: "The body has a type other than application/json, or an encoding other than gzip.",
    431: "The headers are too large.",
}


def document(contract: FileDescriptorSet) -> str:
    """The text of the document."""
    # Parsed here, where the options of the contract are known.
    from thequantcloud.v1 import access_pb2, limits_pb2  # noqa: PLC0415

    made = _Document(contract, access_pb2, limits_pb2).make()
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


class _Document:
    def __init__(self, contract: FileDescriptorSet, access: Any, limits: Any) -> None:
        self._contract = contract
        self._access, self._limits = access, limits.limits
        self._comments = comments(contract)
        self._pool = pool_of(contract)
        self._statuses = success_statuses()
        self._schemas = Schemas(self._comments, self._limits)

    def make(self) -> Json:
        paths: Json = {}
        tags: list[Json] = []
        for service in self._services():
            tag = service.name.removesuffix("Service")
            tags.append({"name": tag, "description": self._comments[service.full_name]})
            for method in service.methods:
                verb, path = http(method)
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
                "schemas": dict(sorted({**self._schemas.made, **self._error_schemas()}.items())),
                "responses": self._error_responses(),
                "parameters": {
                    "IdempotencyKey": self._idempotency_key(),
                    "LastEventId": LAST_EVENT_ID,
                },
                "headers": COMPONENTS["headers"],
                "securitySchemes": COMPONENTS["securitySchemes"],
            },
            "x-error-reasons": [each._asdict() for each in reasons(self._contract)],
        }

    def _services(self) -> list[Any]:
        """The services, those that most clients use first."""
        return sorted(
            services(self._contract, self._pool), key=lambda service: ORDER.index(service.name)
        )

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
        if "`Last-Event-ID`" in text:
            parameters.append({"$ref": "#/components/parameters/LastEventId"})
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
            "schema": self._schemas.field(field, in_url=True),
        }

    def _body(self, method: Any, verb: str, fields: Sequence[FieldDescriptor]) -> Json:
        schema = self._schemas.reference(method.input_type)
        if len(fields) < len(method.input_type.fields):
            self._schemas.made[method.input_type.name] = self._schemas.object(
                method.input_type, fields
            )
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
            "content": {
                "application/json": {"schema": self._schemas.reference(method.output_type)}
            },
        }
        if method.server_streaming:
            success["content"] = {
                "text/event-stream": {"schema": _event(self._schemas.reference(method.output_type))}
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
        if "204" in made:
            made["204"] = {"description": "No event follows.", "headers": success["headers"]}
        return {str(self._statuses.get((verb, path), 200)): success, **dict(sorted(made.items()))}

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
        made: Json = copy.deepcopy(COMPONENTS["schemas"])
        made["ErrorInfo"]["properties"]["reason"]["description"] += f"\n\n{names}"
        return made


# Each path is there below /studio too, where QuantStudio's shapes are served.
_STUDIO = "(/studio)?"


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
            path = route["match"]["safe_regex"]["regex"].removeprefix(_STUDIO)
            found[verb, path] = int(status)
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


def _event(schema: Json) -> Json:
    """A server-sent event, as OpenAPI 3.2 describes the items of a stream."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    text = "Where to resume after this event. Send it as `Last-Event-ID`. An error has none."
    return {
        "type": "object",
        "description": "A server-sent event. Its data is JSON.",
        "properties": {"id": {"type": "string", "description": text}, "data": data},
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


LIMIT_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
REQUIREMENTS: Mapping[str, list[Json]] = {
    "anyone": [],
    "account": [{"bearer": []}, {"apiKey": []}],
    "jwt": [{"bearer": []}],
    "ticket": [{"bearer": []}, {"apiKey": []}, {"ticket": []}],
}
LAST_EVENT_ID: Json = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The `id` of the last event that you saw. The stream resumes after it.",
    "schema": {"type": "string"},
}
STATUS_503 = "UNAVAILABLE: the server accepts no jobs. `detail` has the cause."
