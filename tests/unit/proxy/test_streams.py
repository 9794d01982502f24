"""Server-sent events of streams through the real Envoy."""

import json

import grpc
import pytest

from quantcloud.api.convert.options import take_json_options
from support.api import error_json
from thequantcloud.v1.job_pb2 import (
    Job,
    JobEvent,
    JobResult,
    WatchJobRequest,
    WatchJobsRequest,
    WatchJobsResponse,
)
from unit.proxy.answers import UNSET_JOB
from unit.proxy.envoys import DEADLINE

# A watch over HTTP, of an existing job and of one that is submitted.
WATCHES = pytest.mark.parametrize(
    "watch",
    [
        {"method": "GET", "url": "/v1/jobs/j/events"},
        {"method": "POST", "url": "/v1/circuits/run-and-watch", "json": {"qasm": "q"}},
    ],
    ids=["WatchJob", "RunAndWatch"],
)


def data(lines):
    """Return the data of the next server-sent event, which has an id. An empty line must follow."""
    assert next(lines).startswith("id: ")
    name, _, text = next(lines).partition(": ")
    assert name == "data"
    assert next(lines) == ""
    return json.loads(text)


def test_events_arrive_one_by_one_as_they_happen(http, gate, steps):
    steps.send(JobEvent(sequence=1, job=Job(job_id="j", status=Job.queued), queue_position=1))
    with http.stream("GET", "/v1/jobs/j/events?after_sequence=0&with_result=true") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        assert not [name for name in answer.headers if name.startswith("grpc")]
        lines = answer.iter_lines()
        assert data(lines) == {
            "sequence": 1,
            "occurred_at": None,
            "job": {**UNSET_JOB, "job_id": "j", "status": "queued"},
            "queue_position": 1,
            "result": None,
            "checkpoint": False,
            "error": None,
        }
        steps.send(JobEvent(sequence=2, result=JobResult(job_id="j", counts={"0": 1})))
        event = data(lines)
        assert event["job"] is None
        assert event["queue_position"] is None
        assert event["result"]["counts"] == {"0": 1}
        assert event["result"]["statevector"] is None
        steps.send(None)
        assert list(lines) == []
    request, _ = gate.last("WatchJob")
    assert request == WatchJobRequest(id="j", after_sequence=0, with_result=True)


def test_the_messages_of_all_jobs_match_the_contract(http, gate):
    async def answer(_request, _context):
        yield WatchJobsResponse(cursor="c", checkpoint=True)
        yield WatchJobsResponse(cursor="d", events=[JobEvent(sequence=1), JobEvent(sequence=2)])

    gate.answer("WatchJobs", answer)
    with http.stream("GET", "/v1/jobs/events?after_cursor=b") as answered:
        lines = answered.iter_lines()
        first, second = data(lines), data(lines)
    assert first == {"cursor": "c", "events": [], "checkpoint": True, "error": None}
    assert list(first) == ["cursor", "events", "checkpoint", "error"]
    assert [event["sequence"] for event in second["events"]] == [1, 2]
    assert gate.last("WatchJobs")[0] == WatchJobsRequest(after_cursor="b")


def test_the_stream_of_all_jobs_is_not_a_job_called_events(http, gate):
    with http.stream("GET", "/v1/jobs/events?status=completed&status=failed") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert len(list(answer.iter_lines())) == 2
    request, _ = gate.last("WatchJobs")
    assert request == WatchJobsRequest(status=[Job.completed, Job.failed])


def test_a_submission_is_answered_with_events(http, gate, steps):
    origin = "https://studio.example"
    steps.send(JobEvent(sequence=5, job=Job(job_id="j", status=Job.dispatched)))
    with http.stream(
        "POST",
        "/v1/circuits/run-and-watch",
        json={"qasm": "q", "shots": 7, "options": {"seed": 1}},
        headers={"Idempotency-Key": "k", "Origin": origin},
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["access-control-allow-origin"] == origin
        lines = answer.iter_lines()
        assert data(lines)["job"]["status"] == "dispatched"
        steps.send(JobEvent(sequence=6, result=JobResult(job_id="j", counts={"0": 1})))
        assert data(lines)["result"]["counts"] == {"0": 1}
        steps.send(None)
        assert list(lines) == []
    request, metadata = gate.last("RunAndWatch")
    take_json_options(request)
    assert (request.qasm, request.shots, request.options.seed) == ("q", 7, 1)
    assert metadata["idempotency-key"] == "k"


@WATCHES
def test_an_error_before_the_first_event_is_a_normal_error_answer(http, steps, watch):
    steps.send(grpc.StatusCode.NOT_FOUND)
    answer = http.request(**watch)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {**error_json("the server shuts down"), "details": []}


@WATCHES
def test_an_error_within_a_stream_ends_it_after_the_last_complete_event(http, steps, watch):
    steps.send(JobEvent(sequence=1))
    with http.stream(**watch) as answer:
        lines = answer.iter_lines()
        assert data(lines)["sequence"] == 1
        steps.send(grpc.StatusCode.UNAVAILABLE)
        assert list(lines) == []


@WATCHES
def test_the_server_notices_that_a_watcher_has_left(http, steps, watch):
    steps.send(JobEvent(sequence=1))
    with http.stream(**watch) as answer:
        lines = answer.iter_lines()
        data(lines)
        assert not steps.ended.is_set()
    assert steps.ended.wait(DEADLINE)
