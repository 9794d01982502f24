"""Each RPC states who may call it, and the server enforces it. Generated from the contract."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.message_factory import GetMessageClass

from quantcloud.api.access import access_rule, methods
from support.api import Api
from support.circuits import BELL
from support.server import SECRET, Server
from thequantcloud.v1 import access_pb2, api_key_pb2, circuit_pb2

METHODS = methods()
RULES = access_pb2.Access
OF_RESOURCES = [path for path, m in METHODS.items() if "id" in m.input_type.fields_by_name]
NOBODY = "00000000-0000-4000-8000-000000000000"

UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED
DENIED = grpc.StatusCode.PERMISSION_DENIED
BEARER = "authorization"


@dataclass(frozen=True)
class Answer:
    code: grpc.StatusCode
    message: str


def call(server: Server, path: str, metadata: Any, **fields: Any) -> Answer:
    """Call an RPC with only `fields` in the request. A stream is read up to its first event."""
    method = METHODS[path]
    request = GetMessageClass(method.input_type)(**fields)
    answer = GetMessageClass(method.output_type).FromString
    kind = server.channel.unary_stream if method.server_streaming else server.channel.unary_unary
    if method.client_streaming:
        kind = server.channel.stream_stream
    rpc: Any = kind(path, request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=answer)  # fmt: skip
    try:
        called = rpc(iter([request]) if method.client_streaming else request, metadata=metadata,
                     timeout=1)  # fmt: skip
        if method.server_streaming:
            next(called, None)
            called.cancel()
    except grpc.RpcError as error:
        return Answer(error.code(), error.details())
    return Answer(grpc.StatusCode.OK, "")


@pytest.fixture(scope="module")
def eve(server: Server) -> Api:
    return server.api()


def new_key(api: Api, name: str) -> api_key_pb2.CreateApiKeyResponse:
    request = api_key_pb2.CreateApiKeyRequest(name=name)
    return api.keys.CreateApiKey(request, metadata=api.metadata)


@pytest.fixture(scope="module")
def credentials(ada: Api) -> dict[str, Any]:
    """The metadata of each kind of caller."""
    revoked = new_key(ada, "revoked")
    ada.keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=revoked.id), metadata=ada.metadata)
    key = new_key(ada, "good").key
    past = datetime.now(UTC) - timedelta(minutes=1)
    expired = jwt.encode({"sub": "ada", "aud": "authenticated", "exp": past}, SECRET)
    return {
        "nobody": (),
        "garbage": ((BEARER, "Bearer garbage"),),
        "expired": ((BEARER, f"Bearer {expired}"),),
        "revoked": ((BEARER, f"Bearer {revoked.key}"),),
        "revoked in its own header": (("x-api-key", revoked.key),),
        "key": ((BEARER, f"Bearer {key}"),),
        "key in its own header": (("x-api-key", key),),
        "JWT": ada.metadata,
    }


REFUSED = ("nobody", "garbage", "expired", "revoked", "revoked in its own header")
KEYS = ("key", "key in its own header")


@pytest.mark.parametrize("path", METHODS)
def test_every_rpc_states_its_rule(path: str):
    assert access_rule(METHODS[path]) in {RULES.anyone, RULES.account, RULES.jwt, RULES.ticket}


@pytest.mark.parametrize("who", [*REFUSED, *KEYS, "JWT"])
@pytest.mark.parametrize("path", METHODS)
def test_the_rule_is_enforced(server: Server, credentials: dict[str, Any], path: str, who: str):
    rule = access_rule(METHODS[path])
    code = call(server, path, credentials[who]).code
    if rule != RULES.anyone and who in REFUSED:
        assert code is UNAUTHENTICATED
    elif rule == RULES.jwt and who in KEYS:
        assert code is DENIED
    else:
        assert code not in {UNAUTHENTICATED, DENIED, grpc.StatusCode.INTERNAL}


@pytest.fixture(scope="module")
def resources(ada: Api) -> dict[str, str]:
    """The ids of Ada's resources, by the service that takes such ids."""
    circuit = ada.circuits.CreateCircuit(
        circuit_pb2.CreateCircuitRequest(name="mine", qasm=BELL), metadata=ada.metadata
    )
    job = ada.run(BELL)
    ada.finish(job)
    return {"JobService": job, "CircuitService": circuit.id, "ApiKeyService": new_key(ada, "x").id}


@pytest.mark.parametrize("path", OF_RESOURCES)
def test_resources_of_other_accounts_look_like_missing_ones(
    server: Server, eve: Api, resources: dict[str, str], path: str
):
    """A new service whose RPCs take ids needs an entry in `resources`."""
    its = resources[METHODS[path].containing_service.name]
    callers = [eve.metadata]
    if access_rule(METHODS[path]) != RULES.jwt:
        callers.append((("x-api-key", new_key(eve, path[-50:]).key),))
    for metadata in callers:
        anothers = call(server, path, metadata, id=its)
        nobodys = call(server, path, metadata, id=NOBODY)
        assert anothers.code is nobodys.code is grpc.StatusCode.NOT_FOUND
        assert anothers.message.replace(its, "") == nobodys.message.replace(NOBODY, "")


def test_own_resources_are_found(server: Server, ada: Api, resources: dict[str, str]):
    for path in OF_RESOURCES:
        if "Revoke" not in path and "Delete" not in path:
            its = resources[METHODS[path].containing_service.name]
            assert call(server, path, ada.metadata, id=its).code is not grpc.StatusCode.NOT_FOUND
