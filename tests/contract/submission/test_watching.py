"""Watches on a whole server get each change once and in order, from any point."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import jwt
import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.clients.watchers import see_the_log
from support.server import SECRET, Server
from thequantcloud.v1 import job_pb2


def test_a_hundred_watchers_with_disconnects_see_all_events(ada: Api):
    see_the_log([ada])


def test_queue_positions_are_sent(server: Server):
    ada = server.api()
    running = [ada.run(slow(), backend="aer_simulator", shots=1) for _ in range(2)]
    for job in running:
        ada.until(job, job_pb2.Job.running)
    waiting = [ada.run(slow(), backend="aer_simulator", shots=1) for _ in range(3)]
    watch = ada.watch(waiting[-1])
    for event in watch:
        if event.job.status == job_pb2.Job.queued:
            assert event.queue_position == 3
            break
    ada.cancel(waiting[0])
    moved = next(watch)
    assert (moved.checkpoint, moved.queue_position) == (True, 2)
    assert moved.job.status == job_pb2.Job.queued
    for job in (*waiting, *running):
        ada.cancel(job)


def test_get_can_wait_for_a_change(ada: Api):
    job = ada.run(slow(), backend="aer_simulator", shots=1)
    ada.until(job, job_pb2.Job.running)
    began = time.monotonic()
    same = ada.rest("GET", f"/v1/jobs/{job}?wait_seconds=1").json()
    assert same["status"] == "running"
    assert time.monotonic() - began >= 1
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ada.rest, "GET", f"/v1/jobs/{job}?wait_seconds=60")
        ada.cancel(job)
        assert waiting.result().json()["status"] == "cancelled"
    assert ada.rest("GET", f"/v1/jobs/{job}?wait_seconds=60").json()["status"] == "cancelled"
    for bad in (-1, 61):
        refused = ada.rest("GET", f"/v1/jobs/{job}?wait_seconds={bad}")
        assert refused.status_code == 400
        assert f"wait_seconds: must be 0 to 60, is {bad}" in refused.json()["detail"]


def test_errors_before_the_first_event_have_a_status(ada: Api):
    job = ada.run(BELL)
    ada.finish(job)
    with pytest.raises(grpc.RpcError) as refused:
        next(ada.watch(job, after_sequence=99))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    over_rest = ada.rest("GET", f"/v1/jobs/{job}/events?after_sequence=99")
    assert over_rest.status_code == 400
    assert "at most 7" in over_rest.json()["detail"]


@pytest.mark.parametrize("kind", ["revoked key", "expired token"])
def test_a_watch_ends_when_its_credentials_end(tmp_path: Path, kind: str):
    settings = {
        "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "0.1",
        "QUANTCLOUD_WATCH_RECHECK_SECONDS": "0.1",
    }
    with Server(tmp_path / "data", **settings) as own:
        ada = own.api()
        job = ada.run(slow(), backend="aer_simulator", shots=1)
        if kind == "revoked key":
            key = ada.rest("POST", "/v1/auth/api-keys", {"name": "k"}).json()
            watcher = Api(own.channel, own.rest, key["key"])
        else:
            claims = jwt.decode(ada.credential, options={"verify_signature": False})
            soon = datetime.now(UTC) + timedelta(seconds=2)
            watcher = Api(
                own.channel, own.rest, jwt.encode({**claims, "exp": soon}, SECRET, "HS256")
            )
        watch = watcher.watch(job)
        next(watch)
        if kind == "revoked key":
            ada.rest("DELETE", f"/v1/auth/api-keys/{key['id']}")
        with pytest.raises(grpc.RpcError) as ended:
            list(watch)
        assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
        ada.cancel(job)
