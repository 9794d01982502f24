"""Every RPC states who may call it, and the server holds to it; generated from the contract."""

from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from quantcloud.transport.interceptor import access_rule, methods
from support.api import Api
from support.server import Server
from thequantcloud.v1 import access_pb2

METHODS = methods()
RULES = access_pb2.Access


def call(server: Server, path: str, metadata: Any) -> grpc.StatusCode:
    """The status of an RPC with an empty request; a stream's is that before its first event."""
    method = METHODS[path]
    request = GetMessageClass(method.input_type)()
    answer = GetMessageClass(method.output_type).FromString
    kind = server.channel.unary_stream if method.server_streaming else server.channel.unary_unary
    rpc: Any = kind(path, request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=answer)  # fmt: skip
    try:
        called = rpc(request, metadata=metadata, timeout=2)
        if method.server_streaming:
            next(called, None)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("path", METHODS)
def test_every_rpc_states_its_rule(path: str):
    assert access_rule(METHODS[path]) in {RULES.anyone, RULES.account, RULES.jwt}


@pytest.mark.parametrize("path", METHODS)
def test_the_rule_is_held(server: Server, path: str):
    ada = server.api()
    key = Api(server.channel, server.rest, _key(ada))
    rule = access_rule(METHODS[path])
    refused = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
    nobody = call(server, path, ())
    forged = call(server, path, (("authorization", "Bearer forged"),))
    if rule == RULES.anyone:
        assert nobody not in refused
        assert forged not in refused
    else:
        assert nobody is forged is grpc.StatusCode.UNAUTHENTICATED
    by_key = call(server, path, key.metadata)
    assert (by_key is grpc.StatusCode.PERMISSION_DENIED) == (rule == RULES.jwt)
    as_herself = call(server, path, ada.metadata)
    assert as_herself not in refused
    assert grpc.StatusCode.INTERNAL not in {nobody, forged, by_key, as_herself}


def _key(api: Api) -> str:
    return api.rest("POST", "/v1/auth/api-keys", {"name": "k"}).json()["key"]
