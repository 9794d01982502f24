"""Limits of connections to Envoy: how many, how long, and what answers when it is full."""

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from quantcloud.proxy.config import EnvoyFiles, Upstream, template_values
from quantcloud.settings import Settings
from support.clients.http2 import GOAWAY, PING, RawConnection, answers_to_pings
from unit.proxy.upstream import gate as make_gate

DEADLINE = 10
REQUEST = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(gate, source="127.0.0.1"):
    address = ("127.0.0.1", gate.envoy.http_port)
    return socket.create_connection(address, DEADLINE, (source, 0))


def is_served(connection):
    """Whether a request on the connection is answered. If not, it was closed."""
    try:
        connection.sendall(REQUEST)
        return connection.recv(12) == b"HTTP/1.1 200"
    except ConnectionError:
        return False


def test_a_connection_without_a_request_ends(tmp_path):
    with make_gate(tmp_path, connection_idle_seconds=0.2) as gate, connect(gate) as silent:
        assert silent.recv(1) == b""
        with RawConnection(gate.target) as multiplexed:
            assert any(frame.kind == GOAWAY for frame in multiplexed.frames())


def test_a_client_may_ping_while_it_has_no_calls(gate):
    assert answers_to_pings(gate.target, 8, 0.0) == {PING}


def test_the_connections_of_an_address_are_limited(tmp_path):
    others = [f"127.0.0.{number}" for number in range(2, 34)]
    with make_gate(tmp_path, max_connections_per_address=3) as gate, ExitStack() as stack:
        held = [stack.enter_context(connect(gate)) for _ in range(3)]
        assert all(map(is_served, held))
        assert not is_served(stack.enter_context(connect(gate)))
        # A sixteenth of all addresses shares its limit.
        served = sum(is_served(stack.enter_context(connect(gate, other))) for other in others)
        assert served >= len(others) - 6
        held.pop().close()
        with httpx.Client(base_url=gate.url) as http:
            assert http.get("/health").status_code == 200


def test_a_probe_is_answered_when_there_are_no_more_connections(tmp_path):
    with make_gate(tmp_path, max_connections=2) as gate, ExitStack() as stack:
        held = [stack.enter_context(connect(gate)) for _ in range(2)]
        assert all(map(is_served, held))
        assert not is_served(stack.enter_context(connect(gate)))
        with httpx.Client(base_url=f"http://127.0.0.1:{gate.envoy.probe_port}") as probe:
            assert probe.get("/health").status_code == 200
            assert probe.get("/alive").status_code == 200
            assert probe.get("/v1/status").status_code == 404
        # Closing a probe's connection makes no room for others.
        assert not is_served(stack.enter_context(connect(gate)))


@pytest.mark.parametrize(("proxies", "most"), [(0, 7), (1, 70)])
def test_trusted_proxies_may_hold_all_connections(proxies, most):
    given = Settings(
        max_connections=70, max_connections_per_address=7, trusted_proxies=proxies
    )  # fmt: skip
    values = template_values(given, Upstream("s" * 32), EnvoyFiles.find())
    assert values["max_connections_per_address"] == most


def test_a_header_with_an_underscore_does_not_reach_the_server(gate, http):
    assert http.get("/v1/jobs/j", headers={"x_tra": "1", "x-tra": "2"}).status_code == 200
    _, metadata = gate.last("GetJob")
    assert "x_tra" not in metadata
    assert metadata["x-tra"] == "2"


def test_doubled_slashes_are_merged(gate, http):
    assert http.get(f"{gate.url}//v1//jobs/j").status_code == 200


def keepalive_seconds(connection, port):
    """Return in how many seconds the kernel asks whether the client of `connection` is there."""
    client = f"{connection.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, remote, _, _, timer, *_ = line.split()
        if local.endswith(f":{port:04X}") and remote.endswith(f":{client}"):
            kind, ticks = timer.split(":")
            return int(ticks, 16) / os.sysconf("SC_CLK_TCK") if kind == "02" else None
    raise AssertionError("Envoy has no such connection")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_kernel_asks_whether_a_silent_client_is_there(gate):
    with connect(gate) as silent:
        assert is_served(silent)
        assert 0 < keepalive_seconds(silent, gate.envoy.http_port) <= 20
