"""The one interceptor: access rules, request ids, errors, nulls and the access log of every RPC."""

import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.principal import Credential
from quantcloud.domain.errors import DomainError, InvalidArgument, PermissionDenied
from quantcloud.transport import call
from quantcloud.transport.call import Context
from quantcloud.transport.errors import Refusal, internal, refuse
from quantcloud.transport.nulls import add_nulls
from thequantcloud.v1 import (
    access_pb2,
    account_pb2,
    api_key_pb2,
    backend_pb2,
    circuit_pb2,
    job_pb2,
    status_pb2,
)

CONTRACT = (account_pb2, api_key_pb2, backend_pb2, circuit_pb2, job_pb2, status_pb2)
# Infrastructure that anyone may ask, as its own specifications have it.
OPEN_SERVICES = ("grpc.health.v1.", "grpc.reflection.")
_MAXIMUM_REQUEST_ID_LENGTH = 128

log = structlog.stdlib.get_logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Parser: TypeAlias = Callable[[bytes], Any]


def methods() -> Mapping[str, MethodDescriptor]:
    """Every RPC of the contract by its full path."""
    return {
        f"/{service.full_name}/{method.name}": method
        for module in CONTRACT
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def access_rule(method: MethodDescriptor) -> int:
    """The RPC's access rule as the contract states it."""
    extension: Any = access_pb2.access  # its stub does not say that it is an extension
    return int(method.GetOptions().Extensions[extension])


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every RPC of the contract.

    An exception that is no domain error is logged with its request id and told as INTERNAL.
    """

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._rules = {path: access_rule(method) for path, method in methods().items()}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        path = handler_call_details.method
        if handler is None or path.removeprefix("/").startswith(OPEN_SERVICES):
            return handler
        behaviour: Any = handler.unary_unary or handler.unary_stream
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(path, _parser(handler), behaviour),
                request_deserializer=bytes,
                response_serializer=_serialize,
            )
        return grpc.unary_stream_rpc_method_handler(
            self._stream(path, _parser(handler), behaviour),
            request_deserializer=bytes,
            response_serializer=_serialize,
        )

    def _unary(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], Awaitable[Any]]
    ) -> Any:
        async def answer(request: bytes, context: Context) -> Message:
            entry = _Entry(path, context)
            try:
                await self._admit(path, context)
                response = await behaviour(parse(request), context)
            except Exception as error:  # all of them end here
                await entry.abort(error)
                raise AssertionError from error  # abort has raised
            entry.close(grpc.StatusCode.OK)
            return response

        return answer

    def _stream(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], AsyncIterator[Any]]
    ) -> Any:
        async def answer(request: bytes, context: Context) -> AsyncIterator[Message]:
            entry = _Entry(path, context)
            try:
                await self._admit(path, context)
                async for response in behaviour(parse(request), context):
                    yield response
            except Exception as error:  # noqa: BLE001  # all of them end here
                await entry.abort(error)
            entry.close(grpc.StatusCode.OK)

        return answer

    async def _admit(self, path: str, context: Context) -> None:
        """Authenticate the caller as the RPC's rule asks. An RPC without a rule is refused."""
        rule = self._rules.get(path, access_pb2.Access.unspecified)
        if rule == access_pb2.Access.anyone:
            return
        if rule == access_pb2.Access.unspecified:
            raise PermissionDenied("this RPC is open to nobody")
        principal = await self._authenticator.authenticate(_headers(context))
        if rule == access_pb2.Access.jwt and principal.credential is not Credential.JWT:
            raise PermissionDenied(
                "this needs a JWT: sign in; an API key does not reach this far",
                reason="JWT_REQUIRED",
            )
        call.set_principal(principal)


class _Entry:
    """One call's line in the log, and its request id."""

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._context = context
        self._began = time.monotonic()
        given = _headers(context).get("x-request-id", "")
        usable = 0 < len(given) <= _MAXIMUM_REQUEST_ID_LENGTH and given.isprintable()
        self._request_id = given if usable else str(uuid.uuid4())
        call.request_id.set(self._request_id)

    async def abort(self, error: Exception) -> None:
        """End the call with the status that the error stands for."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, DomainError):
            refusal = refuse(error)
        elif isinstance(error, Refusal):
            refusal = error
        else:
            log.error(
                "unforeseen exception", method=self._path, request_id=self._request_id,
                exc_info=error,
            )  # fmt: skip
            refusal = internal(self._request_id)
        self.close(refusal.code)
        await self._context.abort(refusal.code, refusal.message, refusal.metadata)

    def close(self, code: grpc.StatusCode) -> None:
        log.debug(
            "call",
            method=self._path,
            code=code.name,
            request_id=self._request_id,
            milliseconds=round((time.monotonic() - self._began) * 1000, 3),
        )


def _headers(context: Context) -> dict[str, str]:
    return {
        key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)
    }


def _parser(handler: "grpc.RpcMethodHandler[Any, Any]") -> Parser:
    """The handler's own parser, which refuses what it cannot read.

    It is not left to gRPC, which would tell the caller of the exception.
    """
    own: Any = handler.request_deserializer

    def parse(data: bytes) -> Any:
        try:
            return own(data)
        except DecodeError as error:
            raise InvalidArgument(
                "request",
                "cannot be read: text must be UTF-8, and messages may be nested 100 deep",
            ) from error

    return parse


def _serialize(message: Message) -> bytes:
    add_nulls(message)
    return message.SerializeToString()
