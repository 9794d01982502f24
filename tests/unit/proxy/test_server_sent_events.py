"""Server-sent events through the real Envoy: ids, tickets, and the end of a watch."""

import json

import httpx
import pytest

from thequantcloud.v1.job_pb2 import (
    Job,
    JobEvent,
    JobResult,
    Statevector,
    WatchJobRequest,
    WatchJobsResponse,
)
from unit.proxy.upstream import gate as make_gate

PATH = "/v1/jobs/j/events"
TICKET = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmVk"


def events(text):
    """Return the fields of each event of a stream."""
    assert text.endswith("\n\n")
    return [dict(line.split(": ", 1) for line in event.split("\n"))
            for event in text.split("\n\n")[:-1]]  # fmt: skip


def stream(gate, name, *messages):
    async def answer(_request, _context):
        for message in messages:
            yield message

    gate.answer(name, answer)


def test_the_id_of_an_event_is_its_sequence(gate, http):
    text = 'data: {"sequence":7\n\nid: 9\n\ndata: {"sequence":8'
    jobs = [Job(job_id="j", error_message=text), Job(job_id=text)]
    stream(gate, "WatchJob", *(JobEvent(sequence=n, job=job) for n, job in enumerate(jobs, 2)))
    seen = events(http.get(PATH).text)
    assert [list(event) for event in seen] == [["id", "data"]] * 2
    assert [event["id"] for event in seen] == ["2", "3"]
    assert json.loads(seen[0]["data"])["job"]["error_message"] == text


def test_a_checkpoint_has_the_id_of_the_event_before_it(gate, http):
    stream(gate, "WatchJob", JobEvent(sequence=2), JobEvent(sequence=2, checkpoint=True))
    assert [event["id"] for event in events(http.get(PATH).text)] == ["2", "2"]


def test_the_id_of_a_message_of_all_jobs_is_its_cursor(gate, http):
    messages = [WatchJobsResponse(cursor="A-_9", checkpoint=True),
                WatchJobsResponse(cursor="B", events=[JobEvent(sequence=1)])]  # fmt: skip
    stream(gate, "WatchJobs", *messages)
    seen = events(http.get("/v1/jobs/events").text)
    assert [event["id"] for event in seen] == ["A-_9", "B"]
    assert [json.loads(event["data"])["cursor"] for event in seen] == ["A-_9", "B"]


@pytest.mark.parametrize(
    ("path", "event", "error"),
    [
        (PATH, JobEvent(sequence=2), JobEvent()),
        ("/v1/jobs/events", WatchJobsResponse(cursor="A"), WatchJobsResponse()),
    ],
)
def test_an_error_has_no_id_so_that_a_client_keeps_the_last(gate, http, path, event, error):
    error.error.code = 14
    stream(gate, "WatchJob" if path == PATH else "WatchJobs", event, error)
    first, last = events(http.get(path).text)
    assert "id" in first
    assert list(last) == ["data"]
    assert json.loads(last["data"])["error"]["code"] == 14


def test_large_and_many_events_arrive_whole_with_their_ids(gate, http):
    large = JobResult(statevector=Statevector(real=[0.1] * 300_000))
    messages = [JobEvent(sequence=n, result=large if n % 100 == 0 else None)
                for n in range(1, 301)]  # fmt: skip
    stream(gate, "WatchJob", *messages)
    seen = events(http.get(PATH).text)
    assert [event["id"] for event in seen] == [str(n) for n in range(1, 301)]
    for event in seen:
        assert json.loads(event["data"])["sequence"] == int(event["id"])
    assert len(json.loads(seen[99]["data"])["result"]["statevector"]["real"]) == 300_000


def test_a_watch_without_events_that_has_ended_is_204(gate, http):
    stream(gate, "WatchJob")
    answer = http.get(PATH, headers={"Last-Event-ID": "7", "Origin": "https://studio.example"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert not {"content-type", "content-length", "transfer-encoding"} & set(answer.headers)
    assert not [name for name in answer.headers if name.startswith("grpc")]
    assert answer.headers["access-control-allow-origin"] == "https://studio.example"
    assert gate.last("WatchJob")[1]["last-event-id"] == "7"


@pytest.mark.parametrize("base", ["", "/studio"])
@pytest.mark.parametrize(
    ("query", "rest"),
    [
        (f"ticket={TICKET}", ""),
        (f"after_sequence=3&ticket={TICKET}", "?after_sequence=3"),
        (f"ticket={TICKET}&after_sequence=3", "?after_sequence=3"),
    ],
)
def test_a_ticket_reaches_the_server_alone(gate, http, base, query, rest):
    stream(gate, "WatchJob", JobEvent(sequence=4))
    assert http.get(f"{base}{PATH}?{query}").status_code == 200
    request, metadata = gate.last("WatchJob")
    assert request == WatchJobRequest(id="j", after_sequence=3 if rest else None)
    assert metadata.pop("x-watch-ticket") == TICKET
    assert metadata["x-envoy-original-path"] == PATH + rest
    assert not [name for name, value in metadata.items() if TICKET[:9] in str(value)]


def test_no_log_has_a_ticket(tmp_path):
    paths = (PATH, "/v1/jobs", "/health", "/nope", "/openapi.json", "/v1/jobs/j/cancel")
    preflight = {"Origin": "https://studio.example", "Access-Control-Request-Method": "GET"}
    with make_gate(tmp_path) as gate, httpx.Client(base_url=gate.url) as http:
        for path in paths:
            for method, headers in (("GET", {}), ("POST", {}), ("OPTIONS", preflight)):
                http.request(method, f"{path}?a=b&ticket={TICKET}&c=d", headers=headers)
    log = (tmp_path / "access.log").read_text()
    assert len(log.splitlines()) == 3 * len(paths)
    assert "ticket=" not in log
    assert TICKET[:9] not in log


@pytest.mark.parametrize("ticket", ["a%20b", "a b\u00e9", f"{TICKET}&ticket=x", ""])
def test_what_cannot_be_a_ticket_stays_none(gate, http, ticket):
    http.get(f"{PATH}?ticket={ticket}")
    assert gate.last("WatchJob")[1]["x-watch-ticket"] != TICKET


def test_only_the_query_holds_a_ticket(gate, http):
    http.get(f"{PATH}?after_sequence=1", headers={"X-Watch-Ticket": TICKET})
    assert "x-watch-ticket" not in gate.last("WatchJob")[1]
    for query in ("xticket=1", "tickets=a"):
        assert http.get(f"{PATH}?{query}").status_code == 400
