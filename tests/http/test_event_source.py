"""Server-sent events as a web page meets them: resumption, tickets, and a real `EventSource`."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.clients import browser
from support.clients.relay import Relay
from support.pages import ROOT
from support.server import Server
from thequantcloud.v1 import api_key_pb2

TICKETS = "/v1/auth/watch-tickets"
EXAMPLE = ROOT / "docs/examples/watch.js"
PAGE_SECONDS = 60


@pytest.fixture(scope="module")
def ended(ada: Api) -> str:
    job_id = ada.run(BELL)
    ada.finish(job_id)
    return job_id


def ids(lines: Iterator[str]) -> Iterator[str]:
    return (line.removeprefix("id: ") for line in lines if line.startswith("id: "))


def ticket(api: Api, path: str) -> str:
    made = api.rest("POST", TICKETS, {"path": path})
    assert made.status_code == 201, made.text
    assert made.json()["path"] == path
    return made.json()["ticket"]


def reason(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    return response.json()["details"][0]["reason"]


def test_a_watch_of_a_job_resumes_after_the_last_event_id(ada: Api, ended: str):
    path = f"/v1/jobs/{ended}/events"
    whole = ada.rest("GET", f"{path}?after_sequence=0")
    assert list(ids(iter(whole.text.split("\n")))) == [str(n) for n in range(1, 8)]
    # An EventSource keeps the query of its first request, so the header decides.
    rest = ada.rest("GET", f"{path}?after_sequence=0", headers={"Last-Event-ID": "4"})
    assert list(ids(iter(rest.text.split("\n")))) == ["5", "6", "7"]
    over = ada.rest("GET", f"{path}?after_sequence=0", headers={"Last-Event-ID": "7"})
    assert (over.status_code, over.content) == (204, b"")
    assert ada.rest("GET", f"{path}?after_sequence=7").status_code == 204
    latest = ada.rest("GET", path, headers={"Last-Event-ID": ""})
    assert list(ids(iter(latest.text.split("\n")))) == ["7"]


@pytest.mark.parametrize("event_id", ["8", "x", "-1", "1.0", "9" * 10, "9" * 5000, "\u0663"])
def test_an_id_of_no_event_is_400(ada: Api, ended: str, event_id: str):
    headers = {**ada.headers, "Last-Event-ID": event_id.encode()}
    for path in (f"/v1/jobs/{ended}/events", "/v1/jobs/events"):
        refused = httpx.get(f"{ada._rest.base_url}{path}", headers=headers)
        assert refused.status_code == 400, refused.text


def test_a_watch_of_all_jobs_resumes_after_the_last_event_id(ada: Api):
    with ada._rest.stream("GET", "/v1/jobs/events", headers=ada.headers) as watch:
        cursor = next(ids(watch.iter_lines()))
    job_id = ada.run(BELL)
    ada.finish(job_id)
    headers = {"Last-Event-ID": cursor}
    resumed = next(iter(ada.events("/v1/jobs/events?after_cursor=x", headers=headers)))
    assert (resumed.events[0].job.job_id, resumed.events[0].sequence) == (job_id, 1)


def test_a_ticket_opens_its_path_and_nothing_else(server: Server, ada: Api, ended: str):
    path = f"/v1/jobs/{ended}/events"
    query = f"?ticket={ticket(ada, path)}"
    assert server.get(path + query).status_code == 200
    other = ada.run(BELL)
    ada.finish(other)
    elsewhere = (
        f"/v1/jobs/{other}/events", "/v1/jobs/events", "/v1/jobs", f"/v1/jobs/{ended}",
        f"/v1/jobs/{ended}/result", "/v1/auth/api-keys", "/v1/account/usage", "/v1/status",
    )  # fmt: skip
    for each in elsewhere:
        assert reason(server.get(each + query), 401) == "INVALID_TICKET"
    for each in (f"/v1/jobs/{ended}/cancel", "/v1/circuits/run", TICKETS, "/v1/circuits/plan"):
        refused = server.post(each + query, {"qasm": BELL, "path": path})
        assert reason(refused, 401) == "INVALID_TICKET"
    long = server.post("/v1/circuits/run" + query, {"qasm": BELL + "//" + "x" * 20_000})
    assert reason(long, 401) == "CREDENTIALS_MISSING"
    assert server.rest.delete(f"/v1/circuits/{ended}{query}").status_code == 401
    assert reason(server.get(f"{path}{query}x"), 401) == "INVALID_TICKET"


def test_a_ticket_is_only_for_a_watch_of_ones_own(server: Server, ada: Api, ended: str):
    assert reason(server.post(TICKETS, {"path": "/v1/jobs/events"}), 401) == "CREDENTIALS_MISSING"
    eve = server.api()
    foreign = eve.rest("POST", TICKETS, {"path": f"/v1/jobs/{ended}/events"})
    assert reason(foreign, 404) == "JOB_NOT_FOUND"
    for path in ("/v1/jobs", "/v1/jobs/events?status=failed", "https://x/v1/jobs/events", ""):
        refused = eve.rest("POST", TICKETS, {"path": path})
        assert reason(refused, 400) == "INVALID_ARGUMENT"
        assert refused.json()["detail"].startswith("path: must ")


def test_a_watch_by_ticket_counts_as_its_account_and_ends_with_its_key(tmp_path: Path):
    settings = {
        "QUANTCLOUD_MAX_WATCHES": "1",
        "QUANTCLOUD_WATCH_RECHECK_SECONDS": "0.1",
        "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "0.2",
        "QUANTCLOUD_TIERS": '{"explorer": {"requests_per_minute": 20}}',
    }
    with Server(tmp_path / "data", **settings) as server:
        ada = server.newcomer()
        made = ada.keys.CreateApiKey(
            api_key_pb2.CreateApiKeyRequest(name="k"), metadata=ada.metadata
        )
        by_key = Api(server.channel, server.rest, made.key)
        path = f"/v1/jobs/events?ticket={ticket(by_key, '/v1/jobs/events')}"
        with server.rest.stream("GET", path) as watch:
            assert watch.headers["x-ratelimit-remaining"] == "17"
            lines = watch.iter_lines()
            cursor = next(ids(lines))
            assert reason(ada.rest("GET", "/v1/jobs/events"), 429) == "TOO_MANY_STREAMS"
            revoke = api_key_pb2.RevokeApiKeyRequest(id=made.id)
            ada.keys.RevokeApiKey(revoke, metadata=ada.metadata)
            *_, last, _ = lines
            assert "the API key is unknown or revoked" in last
        again = server.get(path, headers={"Last-Event-ID": cursor})
        assert reason(again, 401) == "INVALID_API_KEY"


SCRIPT = """
import {{watch}} from "./watch.js";
const path = "/v1/jobs/{job}/events";
const source = await watch("{url}", {headers}, path, "after_sequence=0", (event, id) =>
  report([id, event.job.status]));
source.addEventListener("error", () =>
  source.readyState === EventSource.CLOSED && report("closed"));
"""


@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium here")
def test_an_event_source_of_a_page_resumes_and_stops_at_the_end(
    server: Server, ada: Api, tmp_path: Path
):
    job_id = ada.run(slow())
    with Relay(server.endpoints.http.removeprefix("http://")) as relay:
        script = SCRIPT.format(job=job_id, url=relay.url, headers=json.dumps(ada.headers))
        with browser.page(script, EXAMPLE, tmp_path / "profile") as reports:
            seen = [reports.get(timeout=PAGE_SECONDS)]
            while seen[-1][1] != "running":
                seen.append(reports.get(timeout=PAGE_SECONDS))
            assert [event_id for event_id, _ in seen] == [str(n) for n in range(1, len(seen) + 1)]
            relay.cut()
            ada.cancel(job_id)
            # Chromium connects again, gets what it missed, connects again, and gets 204.
            last = [str(len(seen) + 1), "cancelled"]
            assert reports.get(timeout=PAGE_SECONDS) == last
            assert reports.get(timeout=PAGE_SECONDS) == "closed"
