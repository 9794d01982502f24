"""The OpenAPI document says what the server does."""

import gzip
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.api import Api, error_json
from support.circuits import BELL
from support.openapi import API, DOCUMENT, conforms
from support.server import Server

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = {
    operation["operationId"]: (verb, path, operation)
    for path, verbs in API["paths"].items()
    for verb, operation in verbs.items()
}
EXAMPLES = [
    (name, example)
    for name, (_, _, operation) in OPERATIONS.items()
    for example in operation.get("requestBody", {"content": {"application/json": {}}})["content"][
        "application/json"
    ].get("examples", {})
]
REFERENCE = {
    "/openapi.json": "application/json",
    "/docs": "text/html; charset=utf-8",
    "/docs/docs.css": "text/css; charset=utf-8",
    "/docs/docs.js": "application/javascript; charset=utf-8",
}
FILES = {
    "/openapi.json": DOCUMENT,
    "/docs": ROOT / "envoy/docs/index.html",
    "/docs/docs.css": ROOT / "envoy/docs/docs.css",
    "/docs/docs.js": ROOT / "envoy/docs/docs.js",
}
# More in `make soak`.
MAX_EXAMPLES = os.environ.get("SOAK_EXAMPLES", "3")
SEED = os.environ.get("SOAK_SEED", "1")


def content(operation: dict[str, Any], status: int, media: str = "application/json") -> Any:
    response = operation["responses"][str(status)]
    if "$ref" in response:
        response = API["components"]["responses"][str(status)]
    return response["content"][media]["schema"]


def send(ada: Api, name: str, body: object, **path: str) -> httpx.Response:
    verb, template, _ = OPERATIONS[name]
    return ada.rest(verb.upper(), template.format(**path), body)


def test_it_is_valid():
    OpenAPIV31SpecValidator(API).validate()


def test_every_field_and_operation_is_described():
    missing = [name for name, (_, _, each) in OPERATIONS.items() if not each["description"]]
    for name, schema in API["components"]["schemas"].items():
        fields = schema.get("properties", {}).items()
        missing += [f"{name}.{key}" for key, each in fields if not each.get("description")]
    assert missing in ([], [key for key in missing if key.endswith(".@type")])


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_works_and_its_answer_has_the_documented_shape(
    ada: Api, name: str, example: str
):
    operation = OPERATIONS[name][2]
    value = operation["requestBody"]["content"]["application/json"]["examples"][example]["value"]
    conforms(value, operation["requestBody"]["content"]["application/json"]["schema"])
    path = {}
    if name == "UpdateCircuit":
        path["id"] = send(ada, "CreateCircuit", {"name": "x", "qasm": BELL}).json()["id"]
    response = send(ada, name, value, **path)
    success = next(status for status in operation["responses"] if status < "400")
    assert response.status_code == int(success), response.text
    assert "x-request-id" in response.headers
    if response.headers["content-type"] == "text/event-stream":
        schema = content(operation, 200, "text/event-stream")
        for event in filter(None, response.text.split("\n\n")):
            fields = dict(line.split(": ", 1) for line in event.split("\n"))
            conforms(fields, schema)
            conforms(json.loads(fields["data"]), schema["properties"]["data"]["contentSchema"])
    else:
        conforms(response.json(), content(operation, response.status_code))


def test_errors_have_the_documented_shape_and_reasons(ada: Api, server: Server):
    refused = {
        "RunCircuit": send(ada, "RunCircuit", {"qasm": "x"}),
        "GetJob": send(ada, "GetJob", None, id="x"),
        "GetUsage": server.get("/v1/account/usage"),
    }
    known = {each["name"]: each["status"] for each in API["x-error-reasons"]}
    for name, response in refused.items():
        conforms(response.json(), content(OPERATIONS[name][2], response.status_code))
        (info,) = (d for d in response.json()["details"] if d["@type"].endswith(".ErrorInfo"))
        assert known[info["reason"]] == response.status_code


def test_the_events_of_all_jobs_have_the_documented_shape(ada: Api, server: Server):
    schema = content(OPERATIONS["WatchJobs"][2], 200, "text/event-stream")
    message = schema["properties"]["data"]["contentSchema"]
    path = "/v1/jobs/events?with_result=true"
    with server.rest.stream("GET", path, headers=ada.headers) as watch:
        job_id, ended = None, False
        for line in watch.iter_lines():
            if not line.startswith("data: "):
                continue
            seen = json.loads(line.removeprefix("data: "))
            conforms(seen, message)
            if job_id is None:
                assert seen["checkpoint"]
                job_id = ada.run(BELL)
            ended = any(event["result"] is not None for event in seen["events"])
            if ended:
                break
    assert ended


@pytest.mark.parametrize("path", REFERENCE)
def test_the_reference_is_served_with_its_own_headers(server: Server, path: str):
    whole = FILES[path].read_bytes()
    plain = server.get(path, headers={"Accept-Encoding": "identity"})
    assert (plain.status_code, plain.content) == (200, whole)
    assert plain.headers["content-type"] == REFERENCE[path]
    assert plain.headers["access-control-allow-origin"] == "*"
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["x-content-type-options"] == "nosniff"
    policy = plain.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    with server.rest.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
        content = b"".join(packed.iter_raw())
        is_packed = packed.headers.get("content-encoding") == "gzip"
        assert is_packed == (len(whole) >= 1024)
        assert (gzip.decompress(content) if is_packed else content) == whole
        assert packed.headers["etag"] == plain.headers["etag"]
    again = server.get(path, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == plain.headers["etag"]
    assert "location" not in again.headers
    head = server.rest.head(path)
    assert (head.status_code, head.content) == (200, b"")
    wrong = server.rest.post(path)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD")


def test_the_reference_is_served_at_a_limited_rate(server: Server):
    refused = None
    for _ in range(2_000):
        got = server.get("/docs/docs.css")
        if got.status_code != 200:
            refused = got
            break
    assert refused is not None
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json() == error_json("Too many requests for this page. Try again in a second.")
    assert server.get("/v1/status").status_code == 200


def test_the_page_fetches_nothing_from_elsewhere_and_has_no_inline_script():
    page = FILES["/docs"].read_text()
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == [
        "data:,", "/docs/docs.css", "/docs/docs.js", "/openapi.json",
    ]  # fmt: skip
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == [""]
    assert "<style" not in page
    assert not re.search(r"\sstyle=|\son\w+=", page)
    for path in ("/docs/docs.js", "/docs/docs.css"):
        assert "//" not in re.sub(r"^\s*//.*$", "", FILES[path].read_text(), flags=re.MULTILINE)
    assert "innerHTML" not in FILES["/docs/docs.js"].read_text()


def test_schemathesis_finds_nothing(server: Server, tmp_path: Path):
    """Send many right and wrong requests, and check each answer against the document."""
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli",
            "--config-file", str(ROOT / "tests/support/schemathesis.toml"),
            "run", str(DOCUMENT), "--url", str(server.rest.base_url),
            "--header", f"Authorization: Bearer {server.token(tier='enterprise')}",
            # OpenQASM is a language: text that fits the schema need not be a circuit.
            "--checks", "all", "--exclude-checks", "positive_data_acceptance",
            # This stream has no end.
            "--exclude-operation-id", "WatchJobs",
            "--max-examples", MAX_EXAMPLES, "--seed", SEED, "--continue-on-failure",
            "--generation-database", "none", "--suppress-health-check", "all",
            "--warnings", "off", "--no-color", "--request-timeout", "60",
        ],
        env={**os.environ, "SCHEMATHESIS_HOOKS": "support.schemathesis_hooks",
             "PYTHONPATH": str(ROOT / "tests")},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    assert "Stateful" in done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a package that openapi-python-client made from the document."""
    folder = tmp_path_factory.mktemp("generated")
    config = folder / "config.yml"
    config.write_text(yaml.safe_dump({"post_hooks": []}))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "openapi-python-client"), "generate",
         "--path", str(DOCUMENT), "--meta", "none", "--config", str(config), "--fail-on-warning",
         "--output-path", str(folder / "generated_client")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.append(str(folder))
    return "generated_client"


def test_a_generated_client_runs_a_circuit(server: Server, generated: str):
    def load(name: str) -> Any:
        return importlib.import_module(f"{generated}.{name}")

    models = load("models")
    client = load("client").AuthenticatedClient(
        base_url=str(server.rest.base_url), token=server.token(tier="developer")
    )
    run, get = load("api.circuit.run_circuit").sync, load("api.job.get_job").sync
    body = models.RunCircuitRequest(qasm=BELL, shots=100, options=models.RunOptions(seed=7))
    with client:
        job = run(client=client, body=body, idempotency_key="one")
        assert job.status == "submitted"
        ended = get(job.job_id, client=client, wait_seconds=30)
        while ended.status not in {"completed", "failed"}:
            ended = get(job.job_id, client=client, wait_seconds=30)
        result = load("api.job.get_job_result").sync(job.job_id, client=client)
        refused = get("nothing", client=client)
    assert (ended.status, ended.error_message, ended.batch_id) == ("completed", None, None)
    assert ended.completed_at >= ended.submitted_at
    assert sum(result.counts.additional_properties.values()) == 100
    assert isinstance(refused, models.Error)
    assert "'nothing' not found" in refused.detail
