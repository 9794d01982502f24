"""TLS at Envoy and at the gRPC port: versions, client certificates, renewal and redirects."""

import json
import os
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

from quantcloud import Client
from quantcloud.client import Unavailable
from quantcloud.endpoints import read_endpoints
from support.api import Api
from support.circuits import BELL
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2, status_pb2, status_pb2_grpc

NAMES = ("localhost", "127.0.0.1")


def issue(ca: trustme.CA, folder: Path, name: str) -> dict[str, str]:
    """Write a certificate and its key; return their paths."""
    made = ca.issue_cert(*NAMES)
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    # Renamed into place, as issuers' clients do.
    for target, parts in ((key, [made.private_key_pem]), (cert, made.cert_chain_pems)):
        partial = target.with_suffix(".new")
        partial.write_bytes(b"".join(part.bytes() for part in parts))
        partial.rename(target)
    return {"cert": str(cert), "key": str(key)}


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, ca: trustme.CA) -> Path:
    """A folder with `ca.pem`, the server's and a client's certificate."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "ca.pem").write_bytes(ca.cert_pem.bytes())
    issue(ca, folder, "server")
    issue(ca, folder, "client")
    return folder


def context(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=folder / "ca.pem")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TlsServer(Server):
    """A server with TLS at both ports."""

    def __init__(self, folder: Path, data: Path, **more: str) -> None:
        self.folder = folder
        files = {"CERT": str(folder / "server.pem"), "KEY": str(folder / "server.key")}
        super().__init__(
            data, "--workers", "1",
            **{f"QUANTCLOUD_TLS_{name}": path for name, path in files.items()},
            **{f"QUANTCLOUD_GRPC_TLS_{name}": path for name, path in files.items()},
            **more,
        )  # fmt: skip

    def start(self) -> None:
        super().start()
        self.channel.close()
        self.rest.close()
        self.channel = self.secure_channel()
        self.rest = httpx.Client(
            base_url=self.endpoints.http, timeout=60, verify=context(self.folder)
        )

    def secure_channel(self, client: str = "") -> grpc.Channel:
        """Return a channel to the gRPC port, with the certificate of `client` if that is given."""
        pair = (
            [(self.folder / f"{client}{end}").read_bytes() for end in (".key", ".pem")]
            if client
            else [None, None]
        )
        credentials = grpc.ssl_channel_credentials((self.folder / "ca.pem").read_bytes(), *pair)
        return grpc.secure_channel(self.endpoints.grpc, credentials)


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    port = str(free_port())
    data = tmp_path_factory.mktemp("data")
    with TlsServer(folder, data, QUANTCLOUD_HTTP_REDIRECT_PORT=port) as running:
        running.redirect_port = port
        yield running


def served(address: str, folder: Path) -> tuple[str, str | None, int]:
    """Return the TLS version, the protocol, and the certificate's serial number of a connection."""
    host, port = address.rpartition("//")[2].split(":")
    tls = context(folder)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection((host, int(port))) as raw,
        tls.wrap_socket(raw, server_hostname="localhost") as connection,
    ):
        number = int(connection.getpeercert()["serialNumber"], 16)
        return connection.version() or "", connection.selected_alpn_protocol(), number


def renewed(log: bytes) -> set[str]:
    """Return the sides of which a log says that they use a new certificate."""
    lines = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith(b"\n")]
    return {line["side"] for line in lines if line["event"] == "a new certificate is used"}


def wait_until(holds: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_both_ports_speak_tls(server: TlsServer):
    assert server.endpoints.http.startswith("https://")
    answer = server.get("/v1/status")
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    api = server.api()
    assert api.finish(api.run(BELL)).job.status == job_pb2.Job.completed
    version, protocol, _ = served(server.endpoints.http, server.folder)
    assert (version, protocol) == ("TLSv1.3", "h2")


def test_old_versions_and_plain_text_are_refused(server: TlsServer):
    old = context(server.folder)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    host, port = server.endpoints.http.rpartition("//")[2].split(":")
    with socket.create_connection((host, int(port))) as raw, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(raw, server_hostname="localhost")
    with pytest.raises(httpx.TransportError):
        httpx.get(server.endpoints.http.replace("https", "http") + "/v1/status")
    with grpc.insecure_channel(server.endpoints.grpc) as channel, pytest.raises(grpc.RpcError):
        status_pb2_grpc.StatusServiceStub(channel).GetStatus(
            status_pb2.GetStatusRequest(), timeout=10
        )


def test_plain_http_is_redirected(server: TlsServer):
    answer = httpx.post(f"http://127.0.0.1:{server.redirect_port}/v1/jobs?limit=1", content=b"x")
    assert answer.status_code == 308
    assert answer.headers["location"] == f"{server.endpoints.http}/v1/jobs?limit=1"


def test_a_new_certificate_is_used_while_an_open_stream_goes_on(server: TlsServer, ca: trustme.CA):
    api = server.api()
    updates = api.watch_all()
    first = next(updates)
    assert first is not None
    addresses = (server.endpoints.http, server.endpoints.grpc)
    before = [served(each, server.folder)[2] for each in addresses]
    size = server.log_path.stat().st_size
    issue(ca, server.folder, "server")
    # Without a new connection.
    wait_until(lambda: renewed(server.log_path.read_bytes()[size:]) == {"server", "grpc"})
    for address, number in zip(addresses, before, strict=True):
        wait_until(lambda a=address, n=number: served(a, server.folder)[2] != n)
    job = api.run(BELL)
    assert any(event.job.job_id == job for response in updates for event in response.events)
    updates.cancel()


def test_a_pair_that_does_not_match_is_not_used(server: TlsServer, ca: trustme.CA):
    number = served(server.endpoints.http, server.folder)[2]
    cert = server.folder / "server.pem"
    good = cert.read_bytes()
    size = server.log_path.stat().st_size
    cert.write_bytes(b"".join(part.bytes() for part in ca.issue_cert(*NAMES).cert_chain_pems))
    wait_until(lambda: b"a new certificate is not used" in server.log_path.read_bytes()[size:])
    assert served(server.endpoints.http, server.folder)[2] == number
    assert served(server.endpoints.grpc, server.folder)[2] == number
    cert.write_bytes(good)


def test_a_server_with_a_wrong_key_does_not_start(tmp_path: Path, ca: trustme.CA):
    one, other = issue(ca, tmp_path, "one"), issue(ca, tmp_path, "other")
    for side in ("TLS", "GRPC_TLS"):
        done = subprocess.run(
            quantcloud("serve", "--data-dir", str(tmp_path / side), "--http-port", "0",
                       "--grpc-port", "0", "--admin-port", "0"),
            capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, f"QUANTCLOUD_{side}_CERT": one["cert"],
                 f"QUANTCLOUD_{side}_KEY": other["key"]},
        )  # fmt: skip
        assert done.returncode == 1
        assert one["cert"] in done.stderr.splitlines()[-1]


def test_a_certificate_that_ended_is_named_to_the_operator(tmp_path: Path, ca: trustme.CA):
    ended = datetime.now(UTC) - timedelta(days=2)
    made = ca.issue_cert(*NAMES, not_before=ended - timedelta(days=9), not_after=ended)
    cert, key = tmp_path / "ended.pem", tmp_path / "ended.key"
    made.private_key_and_cert_chain_pem.write_to_path(cert)
    made.private_key_pem.write_to_path(key)
    files = {
        f"QUANTCLOUD_{side}_{name}": str(path)
        for side in ("TLS", "GRPC_TLS")
        for name, path in (("CERT", cert), ("KEY", key))
    }
    with Server(tmp_path / "data", **files) as server:
        lines = [each for each in server.log_path.read_text().splitlines() if "renew" in each]
        assert len(lines) == 2
        assert all(f"{cert}: the certificate, or one of its chain, expired" in x for x in lines)
    done = subprocess.run(
        quantcloud("config", "check"), capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **files, "QUANTCLOUD_DATA_DIR": str(tmp_path / "other")},
    )  # fmt: skip
    assert str(cert) in "".join((done.stdout + done.stderr).split("\n"))


def test_clients_need_a_certificate_where_the_settings_say_so(folder: Path, tmp_path: Path):
    client_ca = {
        f"QUANTCLOUD_{side}_CLIENT_CA": str(folder / "ca.pem") for side in ("TLS", "GRPC_TLS")
    }
    with TlsServer(folder, tmp_path / "data", **client_ca) as server:
        with pytest.raises(httpx.TransportError):
            server.get("/v1/status")
        known = context(folder)
        known.load_cert_chain(folder / "client.pem", folder / "client.key")
        assert httpx.get(f"{server.endpoints.http}/v1/status", verify=known).status_code == 200
        with server.secure_channel("client") as channel:
            api = Api(channel, server.rest, server.token())
            assert api.finish(api.run(BELL)).job.status == job_pb2.Job.completed


def test_an_envoy_of_its_own_and_its_server_know_each_other(folder: Path, tmp_path: Path):
    secret = {"QUANTCLOUD_PROXY_SECRET": "x" * 40}
    server = TlsServer(
        folder, tmp_path / "data", QUANTCLOUD_GRPC_TLS_CLIENT_CA=str(folder / "ca.pem"),
        QUANTCLOUD_ENVOY="false", **secret,
    )  # fmt: skip
    with server:
        port = server.endpoints.grpc.rpartition(":")[2]
        authority = {"QUANTCLOUD_UPSTREAM_TLS_CA": str(folder / "ca.pem")}
        pair = {
            "QUANTCLOUD_UPSTREAM_TLS_CERT": str(folder / "client.pem"),
            "QUANTCLOUD_UPSTREAM_TLS_KEY": str(folder / "client.key"),
        }
        for certificate, status in ((True, 200), (False, 503)):
            given = {**authority, **(pair if certificate else {})}
            envoy = subprocess.Popen(
                quantcloud("envoy", "--grpc", f"localhost:{port}", "--http-port", "0",
                           "--admin-port", "0", "--data-dir", str(tmp_path / "envoy")),
                stdout=subprocess.PIPE, text=True, env={**os.environ, **secret, **given},
            )  # fmt: skip
            assert envoy.stdout is not None
            try:
                endpoints = read_endpoints(envoy.stdout)
                assert endpoints is not None
                wait_until(
                    lambda e=endpoints, s=status: httpx.get(f"{e.http}/v1/status").status_code == s
                )
                figures = httpx.get(f"{endpoints.admin}/metrics").text
                assert "envoy_cluster_upstream_rq" in figures
            finally:
                envoy.terminate()
                envoy.wait()
                envoy.stdout.close()


def test_the_client_checks_the_certificate_at_both_ports(folder: Path, tmp_path: Path):
    with TlsServer(folder, tmp_path / "data") as server:
        token = server.token()
        for address in (server.endpoints.http, f"https://{server.endpoints.grpc}"):
            with Client(address, token, ca_file=folder / "ca.pem") as client:
                assert client.run(BELL, shots=3).shots == 3
            with Client(address, token) as client, pytest.raises(Unavailable, match="certificate"):
                client.usage()
