"""A real gRPC server with canned answers, and a real Envoy in front of it."""

import asyncio
import inspect
import threading
from contextlib import contextmanager
from dataclasses import replace

import grpc
from google.protobuf import any_pb2
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from quantcloud.api import refusals, uploads
from quantcloud.api.json_nulls import add_json_nulls
from quantcloud.proxy.config import EnvoyFiles
from quantcloud.proxy.process import EnvoyProcess
from quantcloud.proxy.process import Upstream as Servers
from quantcloud.settings import Settings
from thequantcloud.v1 import (
    account_pb2,
    account_pb2_grpc,
    api_key_pb2,
    api_key_pb2_grpc,
    backend_pb2,
    backend_pb2_grpc,
    circuit_pb2,
    circuit_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
    status_pb2_grpc,
)
from thequantcloud.v1 import status_pb2 as platform_pb2

MODULES = (
    (account_pb2, account_pb2_grpc),
    (api_key_pb2, api_key_pb2_grpc),
    (backend_pb2, backend_pb2_grpc),
    (circuit_pb2, circuit_pb2_grpc),
    (job_pb2, job_pb2_grpc),
    (platform_pb2, status_pb2_grpc),
)
SERVICES = tuple(
    service for messages, _ in MODULES for service in messages.DESCRIPTOR.services_by_name.values()
)
METHODS = tuple(method for service in SERVICES for method in service.methods)
# REST has no streams of requests.
OVER_REST = tuple(method for method in METHODS if not method.client_streaming)
# Like the real server's: the longest body that Envoy forwards, and the rest of its message.
RECEIVED_BYTES = 10 * 1024 * 1024


class Upstream:
    """Answers each RPC with `answers[name]`, or with an empty message."""

    def __init__(self):
        self.answers = {}
        self.requests = []
        self.uploads = []
        self.refused = []
        self.port = 0
        self._server = None

    async def start(self):
        server = self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", RECEIVED_BYTES),
                ("grpc.max_metadata_size", 16 * 1024),
            ]
        )
        for messages, stubs in MODULES:
            for service in messages.DESCRIPTOR.services_by_name.values():
                base = getattr(stubs, f"{service.name}Servicer")
                methods = {method.name: self._method(method) for method in service.methods}
                add = getattr(stubs, f"add_{service.name}Servicer_to_server")
                add(type(service.name, (base,), methods)(), server)
        health_pb2_grpc.add_HealthServicer_to_server(aio_health.HealthServicer(), server)
        letting_in = grpc.stream_stream_rpc_method_handler(self._let_in)
        counting = grpc.stream_stream_rpc_method_handler(self._count)
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(uploads.SERVICE, {"Process": letting_in}),
                grpc.method_handlers_generic_handler(refusals.SERVICE, {"Count": counting}),
            ]
        )
        names = [service.full_name for service in SERVICES]
        reflection.enable_server_reflection([*names, reflection.SERVICE_NAME], server)
        self.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()

    async def stop(self):
        await self._server.stop(None)

    async def _let_in(self, _requests, context):
        """Admit every long body, as the server does for valid credentials."""
        self.uploads.append(dict(context.invocation_metadata()))
        await context.read()
        await context.write(uploads.CONTINUE)
        await context.read()

    async def _count(self, _requests, context):
        """Count every refused request, as the server does within the limit."""
        self.refused.append(dict(context.invocation_metadata()))
        await context.send_initial_metadata((("x-ratelimit-limit", "30"),))
        await context.write(b"")

    def _method(self, method):
        empty = GetMessageClass(method.output_type)

        def record(request, context):
            metadata = dict(context.invocation_metadata())
            self.requests.append((method.name, request, metadata))
            return self.answers.get(method.name)

        async def unary(_self, request, context):
            answer = record(request, context)
            response = empty() if answer is None else answer(request, context)
            if inspect.isawaitable(response):
                response = await response
            add_json_nulls(response)
            return response

        async def stream(_self, request, context):
            answer = record(request, context)
            if answer is None:
                response = empty()
                add_json_nulls(response)
                yield response
                return
            async for response in answer(request, context):
                add_json_nulls(response)
                yield response

        return stream if method.server_streaming else unary


async def refuse(context, code, message, *details, metadata=()):
    """End the call with an error that carries `details`."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    whole = rpc_status.to_status(status)
    await context.abort(whole.code, whole.details, (*whole.trailing_metadata, *metadata))


class Background:
    """An event loop in a separate thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Gate:
    """An Envoy and the upstream behind it."""

    def __init__(self, background, upstream, envoy):
        self.background = background
        self.upstream = upstream
        self.envoy = envoy
        self.target = f"127.0.0.1:{envoy.http_port}"
        self.url = f"http://{self.target}"

    def answer(self, name, answer):
        self.upstream.answers[name] = answer

    def last(self, name):
        """Return the last request of an RPC and its metadata."""
        return next(
            (request, metadata)
            for method, request, metadata in reversed(self.upstream.requests)
            if method == name
        )


class Steps:
    """A stream that sends its next event when the test lets it."""

    def __init__(self, gate):
        self._gate = gate
        self._next = asyncio.Queue()
        self.ended = threading.Event()

    async def __call__(self, _request, context):
        try:
            while (event := await self._next.get()) is not None:
                if isinstance(event, grpc.StatusCode):
                    await refuse(context, event, "the server shuts down")
                yield event
        finally:
            self.ended.set()

    def send(self, event):
        self._gate.background.loop.call_soon_threadsafe(self._next.put_nowait, event)


def use_template(monkeypatch, folder, old, new):
    """Run Envoy with a template that has `new` in the place of `old`."""
    files = EnvoyFiles.find()
    template = folder / "template.yaml"
    template.write_text(files.template.read_text().replace(old, new))
    monkeypatch.setattr(EnvoyFiles, "find", lambda: replace(files, template=template))


@contextmanager
def gate(data_dir, **settings):
    """Yield an upstream with an Envoy in front of it; `settings` are Envoy's."""
    background = Background()
    upstream = Upstream()
    background.run(upstream.start())
    settings = Settings(data_dir=data_dir, http_port=0, **settings)
    envoy = EnvoyProcess(settings, Servers("unset", upstream.port))
    try:
        background.run(envoy.start())
        yield Gate(background, upstream, envoy)
    finally:
        background.run(envoy.stop())
        background.run(upstream.stop())
        background.close()
