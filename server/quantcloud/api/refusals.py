"""Counts the requests that Envoy refuses by itself, such as those with invalid JSON.

Otherwise a client could send them without credentials and without limit. Envoy's Lua filter asks
for each of them, with the request's credentials. The answer's metadata has the headers of the rate
limit. If the server refuses the request too, the metadata also has the HTTP status, and the answer
is the body, as JSON.
"""

from typing import Final

import grpc
from google.protobuf.empty_pb2 import Empty

from quantcloud.api.context import Context, headers_of
from quantcloud.api.errors import http_status, json_body
from quantcloud.api.session import Rules, Session

SERVICE: Final = "quantcloud.proxy.Refusals"
PATH: Final = f"/{SERVICE}/Count"
REFUSED: Final = "x-refused"
"""The header with the path of the request's RPC."""
STATUS: Final = "x-status"
_NO_REQUEST: Final = Empty()


def handler(rules: Rules) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return a handler that admits a refused request as its RPC would be admitted."""
    access = rules.access

    async def answer(_: object, context: Context) -> None:
        session = Session(PATH, context, rules)
        await access.check_envoy(context)
        headers = headers_of(context)
        body, status = b"", ()
        try:
            await access.admit(headers.get(REFUSED, ""), session, headers)
            await access.take_turn(session, _NO_REQUEST)
        except Exception as error:  # noqa: BLE001  # every error becomes an answer
            refusal = session.refusal(error)
            body = json_body(refusal)
            status = ((STATUS, str(http_status(refusal))), *refusal.headers)
        await context.send_initial_metadata((*status, *session.rate_limit_headers()))
        await context.write(body)

    return grpc.stream_stream_rpc_method_handler(
        answer, request_deserializer=bytes, response_serializer=bytes
    )
