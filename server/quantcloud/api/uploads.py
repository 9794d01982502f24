"""Answers Envoy before it receives a long JSON body, which it buffers until it is complete.

Envoy's filter `admission` opens a stream for each such request, with the request's credentials. The
messages of `envoy.service.ext_proc.v3` are written as bytes here. The package xds-protos has them
in Python, but it replaces files of the packages `envoy` and `google` that other distributions
install.
"""

from collections.abc import Iterable
from typing import Final

import grpc

from quantcloud.api.context import Context
from quantcloud.api.encoding import VARINT, delimited, tag, varint
from quantcloud.api.errors import Refusal, http_status, json_body
from quantcloud.api.session import Rules, Session

SERVICE: Final = "envoy.service.ext_proc.v3.ExternalProcessor"
PATH: Final = f"/{SERVICE}/Process"

# ProcessingRequest: 2 request_headers, 3 response_headers. They come before all other fields.
_RESPONSE_HEADERS: Final = tag(3)
# ProcessingResponse: 1 request_headers (empty: continue), 7 immediate_response.
CONTINUE: Final = tag(1) + delimited(b"")


def handler(rules: Rules) -> "grpc.RpcMethodHandler[bytes, bytes]":
    """Return a handler that refuses a request as its call would be refused, or lets it continue.

    The body counts as unfinished until the stream's next message, or its end.
    """
    access, deadlines = rules.access, rules.deadlines

    async def answer(_: object, context: Context) -> None:
        session = Session(PATH, context, rules)
        await access.check_envoy(context)
        try:
            # Read first: if Envoy refuses the request by itself, it sends the response's headers.
            if _is_response(await deadlines.wait(context.read())):
                return
            async with await access.admit_upload(session):
                await context.write(CONTINUE)
                await deadlines.wait(context.read())
        except TimeoutError:
            return  # by now Envoy has ended the request
        except Exception as error:  # noqa: BLE001  # every error becomes an answer
            await context.write(_immediate_response(session.refusal(error)))

    return grpc.stream_stream_rpc_method_handler(
        answer, request_deserializer=bytes, response_serializer=bytes
    )


def _is_response(message: object) -> bool:
    """Whether a ProcessingRequest has the headers of a response instead of those of a request."""
    return isinstance(message, bytes) and message.startswith(_RESPONSE_HEADERS)


def _immediate_response(refusal: Refusal) -> bytes:
    # 1 status, an HttpStatus: 1 code; 2 headers; 3 body.
    code = tag(1, VARINT) + varint(http_status(refusal))
    response = b"".join(
        (
            tag(1) + delimited(code),
            tag(2) + delimited(b"".join(_set_headers(refusal.headers))),
            tag(3) + delimited(json_body(refusal)),
        )
    )
    return tag(7) + delimited(response)


def _set_headers(headers: Iterable[tuple[str, str]]) -> Iterable[bytes]:
    """HeaderMutation: 1 set_headers, each a HeaderValueOption: 1 header: 1 key, 3 raw_value."""
    for name, value in headers:
        header = tag(1) + delimited(name.encode()) + tag(3) + delimited(value.encode())
        yield tag(1) + delimited(tag(1) + delimited(header))
