"""A whole server as users run it: `quantcloud serve` with its workers and Envoy, on free ports."""

import os
from collections.abc import Iterator

import pytest
import structlog

from support.server import Server

# Servers in this process: measuring simulators is for tests that ask for it.
os.environ["QUANTCLOUD_ROUTER_CALIBRATE"] = "false"


# What structlog does with an exception where nobody has set it up: it shows the variables of every
# frame, and theirs in turn, which of a whole server takes minutes and gigabytes.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that leave it as they found it; each takes accounts of its own."""
    with Server(tmp_path_factory.mktemp("server"), "--workers", "2") as running:
        yield running
