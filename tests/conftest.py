"""A whole server as users run it: `quantcloud serve` with workers and Envoy, on free ports."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
import structlog

from support.api import Api
from support.server import Server

# For servers in this process. Tests that need a calibration enable it.
os.environ["QUANTCLOUD_ROUTER_CALIBRATE"] = "false"


# An example may take any time: the machine may be busy.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# By default, structlog prints all variables of all frames with an exception. For a whole server
# that takes minutes and gigabytes.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not change its state. Each test uses its own accounts."""
    with Server(tmp_path_factory.mktemp("server"), "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def ada(server: Server) -> Api:
    """A client of an account on the shared server, the same for the tests of a module."""
    return server.api()
