"""Counts the requests that Envoy refuses by itself, such as those with invalid JSON.

Otherwise a client could send them without credentials and without limit. Envoy's Lua filter asks
for each of them, with the request's credentials. The answer's metadata has the headers of the rate
limit. If the server refuses the request too, the metadata also has the HTTP status, and the answer
is the body, as JSON.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.api import annotations_pb2  # pyright: ignore[reportMissingTypeStubs]  # it has none
from google.protobuf.empty_pb2 import Empty

from quantcloud.api.access import methods
from quantcloud.api.context import Context, headers_of
from quantcloud.api.errors import Refusal, http_status, json_body
from quantcloud.api.session import Rules, Session

SERVICE: Final = "quantcloud.proxy.Refusals"
PATH: Final = f"/{SERVICE}/Count"
REFUSED: Final = "x-refused"
"""The header with the request's HTTP method and path."""
STATUS: Final = "x-status"
_HTTP: Any = annotations_pb2.http
_NO_REQUEST: Final = Empty()
_VARIABLE: Final = re.compile(r"\{\w+\}")


def handler(rules: Rules) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return a handler that admits a refused request as its RPC would be admitted."""
    access, routes = rules.access, _routes()

    async def answer(_: object, context: Context) -> None:
        session = Session(PATH, context, rules)
        await access.check_envoy(context)
        headers = headers_of(context)
        body, status = b"", ()
        try:
            await access.admit(_rpc(routes, headers), session, headers)
            await access.take_turn(session, _NO_REQUEST)
        except Exception as error:  # noqa: BLE001  # every error becomes an answer
            refusal = session.refusal(error)
            body, status = json_body(refusal), _status(refusal)
        await context.send_initial_metadata((*status, *session.rate_limit_headers()))
        await context.write(body)

    return grpc.stream_stream_rpc_method_handler(
        answer, request_deserializer=bytes, response_serializer=bytes
    )


def _routes() -> Mapping[re.Pattern[str], str]:
    """Return the path of each RPC by a pattern of its HTTP method and path."""
    routes: dict[re.Pattern[str], str] = {}
    for path, method in methods().items():
        rule: Any = method.GetOptions().Extensions[_HTTP]
        if verb := rule.WhichOneof("pattern"):
            template = _VARIABLE.sub("[^/]+", getattr(rule, verb))
            routes[re.compile(f"{verb.upper()} {template}")] = path
    return routes


def _rpc(routes: Mapping[re.Pattern[str], str], headers: Mapping[str, str]) -> str:
    """Return the path of the refused request's RPC, or an empty text, which admits no caller."""
    refused = headers.get(REFUSED, "")
    return next((path for route, path in routes.items() if route.fullmatch(refused)), "")


def _status(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    headers = ((name, value) for name, value in refusal.metadata if isinstance(value, str))
    return ((STATUS, str(http_status(refusal))), *headers)
