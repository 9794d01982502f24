"""Streams of server-sent events say why they end before the job ends."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2  # noqa: F401  # ParseDict looks the details up

from support.openapi import component, conforms
from support.server import Front, Server
from thequantcloud.v1 import api_key_pb2, job_pb2


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Yield the events, each checked against the contract."""
    for line in lines:
        if line.startswith("data:"):
            event = json.loads(line.removeprefix("data:"))
            ParseDict(event, job_pb2.WatchJobsResponse())
            conforms(event, component("WatchJobsResponse"))
            yield event


def test_the_last_event_says_that_the_key_was_revoked(tmp_path: Path):
    quick = {
        "QUANTCLOUD_WATCH_RECHECK_SECONDS": "0.1", "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "0.2",
    }  # fmt: skip
    with Server(tmp_path / "data", **quick) as server:
        ada = server.api()
        key = ada.keys.CreateApiKey(
            api_key_pb2.CreateApiKeyRequest(name="k"), metadata=ada.metadata
        )
        headers = {"X-API-Key": key.key}
        with server.rest.stream("GET", "/v1/jobs/events", headers=headers) as watch:
            watched = events(watch.iter_lines())
            assert next(watched)["error"] is None
            ada.keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=key.id), metadata=ada.metadata)
            *_, last = watched
        error = last["error"]
        assert (error["code"], error["message"]) == (16, "the API key is unknown or revoked")
        assert error["details"][0]["reason"] == "INVALID_API_KEY"


def test_the_last_event_says_that_the_server_drains(tmp_path: Path):
    with Server(tmp_path / "data") as server:
        ada = server.api()
        with server.rest.stream("GET", "/v1/jobs/events", headers=ada.headers) as watch:
            watched = events(watch.iter_lines())
            next(watched)
            server.process.send_signal(signal.SIGTERM)
            *_, last = watched
        assert last["error"]["details"][0]["reason"] == "SERVER_DRAINING"


def test_a_watch_whose_server_dies_is_an_incomplete_response(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        Server(tmp_path / "data", "--no-envoy") as server,
        Front(tmp_path / "front", port, [server.endpoints.grpc]) as front,
    ):
        headers = server.api().headers
        with front.rest.stream("GET", "/v1/jobs/events", headers=headers) as watch:
            watched = events(watch.iter_lines())
            next(watched)
            server.process.kill()
            with pytest.raises(httpx.RemoteProtocolError):
                list(watched)
