"""Names, tags and lists of jobs through Envoy, and when waiting jobs start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.openapi import API, conforms
from support.server import Server

LIST = API["components"]["schemas"]["ListJobsResponse"]


def submit(api: Api, **fields: Any) -> str:
    body = {"qasm": BELL, "backend": "local_simulator", **fields}
    response = api.rest("POST", "/v1/circuits/run", body)
    assert response.status_code == 202, response.text
    job_id = response.json()["job_id"]
    api.finish(job_id)
    return job_id


def listed(api: Api, query: Any, **more: Any) -> dict[str, Any]:
    response = api.rest("GET", "/v1/jobs", params=query)
    assert response.status_code == 200, response.text
    conforms(response.json(), LIST)
    return {**response.json(), **more}


def ids(page: dict[str, Any]) -> list[str]:
    return [job["job_id"] for job in page["jobs"]]


@pytest.fixture(scope="module")
def jobs(ada: Api) -> list[str]:
    """Five jobs, oldest first."""
    names = ["vqe-1", "vqe-2", "qaoa-1", None, "vqe-\u00e9 3"]
    return [
        submit(
            ada, name=name, tags=["odd" if place % 2 else "even", "all"],
            backend="aer_simulator" if place == 2 else "local_simulator",
        )
        for place, name in enumerate(names)
    ]  # fmt: skip


def test_a_job_tells_its_name_and_tags_everywhere(ada: Api):
    job_id = submit(ada, name="Bell \u00e9", tags=["b", "a", "b"])
    for job in (
        ada.rest("GET", f"/v1/jobs/{job_id}").json(),
        ada.rest("GET", f"/v1/jobs/{job_id}/circuit").json(),
        listed(ada, {"limit": 1})["jobs"][0],
        next(ada.event_json(f"/v1/jobs/{job_id}/events"))["job"],
    ):
        assert (job["name"], job["tags"]) == ("Bell \u00e9", ["b", "a"])
    bare = ada.rest("GET", f"/v1/jobs/{submit(ada)}").json()
    assert (bare["name"], bare["tags"]) == (None, [])


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("tag=even", [4, 2, 0]),
        ("tag=odd&status=completed", [3, 1]),
        ("tag=all&backend=aer_simulator", [2]),
        ("tag=all&name_prefix=vqe-", [4, 1, 0]),
        ("tag=all&name_prefix=vqe-%C3%A9", [4]),
        ("tag=all&name_prefix=VQE", []),
        ("tag=all&status=failed&status=completed", [4, 3, 2, 1, 0]),
        ("tag=all&status=failed&status=running", []),
        ("tag=all&submitted_after=2000-01-01T00:00:00Z", [4, 3, 2, 1, 0]),
        ("tag=all&submitted_before=2000-01-01T00:00:00.5%2B01:00", []),
    ],
)
def test_a_filter_selects_jobs(ada: Api, jobs: list[str], query: str, places: list[int]):
    page = listed(ada, query)
    assert ids(page) == [jobs[place] for place in places]
    assert (page["total"], page["next_page_token"]) == (len(places), None)


def test_times_bound_a_list_without_gap_or_overlap(ada: Api, jobs: list[str]):
    at = ada.rest("GET", f"/v1/jobs/{jobs[2]}").json()["submitted_at"]
    since = listed(ada, {"tag": "all", "submitted_after": at})
    before = listed(ada, {"tag": "all", "submitted_before": at})
    assert ids(since) + ids(before) == jobs[::-1]
    assert ids(since)[-1] == jobs[2]


def test_pages_of_a_filter_are_stable(ada: Api, jobs: list[str]):
    first = listed(ada, "name_prefix=vqe&limit=2")
    assert ids(first) == [jobs[4], jobs[1]]
    submit(ada, name="vqe-late")
    token = first["next_page_token"]
    assert ids(listed(ada, f"name_prefix=vqe&limit=2&page_token={token}")) == [jobs[0]]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("offset=1&backend=aer_simulator", "offset: cannot be combined with these filters"),
        ("offset=1&status=failed&status=queued", "offset: cannot be combined with these filters"),
        ("status=done", "status: must be one of submitted,"),
        ("status=failed&status_filter=queued", "status_filter: is another name for 'status'"),
        ("tag=", "tag: must have 1 to 64 printable characters"),
        ("name_prefix=%00", "name_prefix: must have 1 to 128 printable characters"),
        ("submitted_after=yesterday", "submitted_after: must be a time, such as"),
        ("submitted_before=2020-13-01T00:00:00Z", "submitted_before: must be a time, such as"),
        ("submitted_before=1", "submitted_before: must be a time, such as"),
        ("tag=a&tag=b", "tag: is given more than once"),
        ("after_cursor=x", "after_cursor: is unknown; known are page_token,"),
        ("page_token=x", "page_token: must be a next_page_token from a response"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(ada: Api, query: str, says: str):
    response = ada.rest("GET", f"/v1/jobs?{query}")
    assert response.status_code == 400, response.text
    assert response.json()["detail"].startswith(says)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "x" * 129}, "name: must have 1 to 128 printable characters"),
        ({"name": ""}, "name: must have 1 to 128 printable characters"),
        ({"name": "a\nb"}, "name: must have 1 to 128 printable characters"),
        ({"tags": ["a", "x" * 65]}, "tags[1]: must have 1 to 64 printable characters"),
        ({"tags": ["\u0000"]}, "tags[0]: must have 1 to 64 printable characters"),
        ({"tags": [f"{n}" for n in range(17)]}, "tags: must have 0 to 16 items, has 17"),
    ],
)
def test_a_wrong_name_or_tag_is_refused(ada: Api, fields: dict[str, Any], says: str):
    response = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, **fields})
    assert response.status_code == 400
    assert response.json()["detail"] == says


def test_waiting_jobs_say_why_and_when_they_are_likely_to_start(server: Server):
    ada = server.api()
    began = datetime.now(UTC)
    body = {"qasm": slow(), "backend": "aer_simulator", "shots": 1}
    jobs = [ada.rest("POST", "/v1/circuits/run", body).json()["job_id"] for _ in range(5)]
    try:
        for job in jobs[:2]:  # the number of the server's workers
            assert next(e for e in ada.watch(job) if e.job.HasField("started_at"))
        page = listed(ada, "")["jobs"]
        reasons = {job["job_id"]: job["wait_reason"] for job in page}
        assert [reasons[job] for job in jobs] == [None, None, *["workers"] * 3]
        found = {job["job_id"]: job["estimated_start_at"] for job in page}
        assert [found[job] is None for job in jobs] == [True, True, False, False, False]
        starts = [datetime.fromisoformat(found[job]) for job in jobs[2:]]
        assert starts == sorted(starts)
        assert all(began < at < began + timedelta(days=1) for at in starts)
        assert starts[2] > starts[0]
        one = ada.rest("GET", f"/v1/jobs/{jobs[4]}").json()["estimated_start_at"]
        assert abs(datetime.fromisoformat(one) - starts[2]) < timedelta(seconds=30)
        event = next(ada.event_json(f"/v1/jobs/{jobs[4]}/events"))
        assert event["job"]["estimated_start_at"] is event["job"]["wait_reason"] is None
    finally:
        for job in jobs:
            ada.cancel(job)
    ended = ada.rest("GET", f"/v1/jobs/{jobs[4]}").json()
    assert (ended["status"], ended["estimated_start_at"]) == ("cancelled", None)


def test_a_backend_says_how_wide_a_circuit_it_runs(server: Server, ada: Api):
    backends = {each["name"]: each for each in server.get("/v1/backends").json()["backends"]}
    widest = {name: each["widest_circuit"] for name, each in backends.items()}
    assert widest["aer_gpu_simulator"] == 0  # offline
    assert widest["local_simulator"] > 1000
    cirq = backends["cirq_simulator"]
    assert cirq["num_qubits"] <= cirq["widest_circuit"]
    for width, status in ((cirq["widest_circuit"], 200), (cirq["widest_circuit"] + 1, 400)):
        qasm = f'include "qelib1.inc"; qreg q[{width}]; creg c[{width}]; t q; measure q -> c;'
        body = {"qasm": qasm, "backend": "cirq_simulator", "shots": 1}
        assert ada.rest("POST", "/v1/circuits/plan", body).status_code == status
