from collections.abc import Iterator

import pytest

from quantcloud import Client
from support.server import Server


@pytest.fixture(params=["grpc", "envoy"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Client]:
    address = server.endpoints.grpc if request.param == "grpc" else server.endpoints.http
    with Client(address, server.token(tier="enterprise")) as client:
        yield client


@pytest.fixture(scope="module")
def configured(server: Server) -> Iterator[None]:
    """Set the variables by which adapters of frameworks find the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTCLOUD_SERVER", server.endpoints.grpc)
        patch.setenv("QUANTCLOUD_TOKEN", server.token(tier="enterprise"))
        yield
