"""Errors over REST: the server's and Envoy's have the same shape."""

import json
import re
import socket

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2

from support.api import error_json
from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.proxy.upstream import refuse

INT32 = "an integer from -2147483648 to 2147483647"
STATUSES = (
    "submitted, analyzing, routing, queued, dispatched, running, completed, failed, timeout, "
    "cancelled"
)


def check(answer, status):
    """Check what all errors have in common, and return the detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert not [name for name in answer.headers if name.startswith("grpc")]
    detail = answer.json()["detail"]
    assert list(answer.json().items())[:2] == list(error_json(detail).items())
    return detail


def invalid(detail, field, description):
    """Return the body of an INVALID_ARGUMENT, as the transcoder prints the server's."""
    prefix = "type.googleapis.com/google.rpc."
    violation = {
        "field": field, "description": description, "reason": "INVALID_ARGUMENT",
        "localized_message": None,
    }  # fmt: skip
    info = {"reason": "INVALID_ARGUMENT", "domain": "thequantcloud.com", "metadata": {}}
    return {
        **error_json(detail),
        "details": [
            {"@type": f"{prefix}ErrorInfo", **info},
            {"@type": f"{prefix}BadRequest", "field_violations": [violation]},
        ],
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.ALREADY_EXISTS, 409),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs/j", "/v1/jobs/j/events"])
def test_an_error_of_the_server(gate, http, code, status, path):
    message = f'{code}: "quoted" \\ back\nline ü \U0001f600 </script>'
    details = (
        error_details_pb2.ErrorInfo(reason="R", domain="d", metadata={"id": '"x"'}),
        error_details_pb2.BadRequest(
            field_violations=[{"field": "qasm", "description": "no"}]
        ),
        error_details_pb2.RetryInfo(retry_delay={"seconds": 2}),
    )  # fmt: skip

    async def answer(_request, context):
        await refuse(context, code, message, *details)

    async def stream(_request, context):
        await refuse(context, code, message, *details)
        yield

    gate.answer("GetJob", answer)
    gate.answer("WatchJob", stream)
    got = http.get(path)
    assert check(got, status) == message
    assert got.json().keys() == {"detail", "error", "details"}
    info, bad_request, retry = got.json()["details"]
    prefix = "type.googleapis.com/google.rpc."
    assert info == {
        "@type": f"{prefix}ErrorInfo", "reason": "R", "domain": "d", "metadata": {"id": '"x"'},
    }  # fmt: skip
    assert bad_request["@type"] == f"{prefix}BadRequest"
    [violation] = bad_request["field_violations"]
    assert {"field": "qasm", "description": "no"}.items() <= violation.items()
    assert retry == {"@type": f"{prefix}RetryInfo", "retry_delay": "2s"}
    assert got.headers.get("retry-after") == ("1" if status == 503 else None)


def test_an_error_without_details(gate, http):
    async def answer(_request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, 'no "job"')

    gate.answer("GetJob", answer)
    got = http.get("/v1/jobs/j")
    assert check(got, 404) == 'no "job"'
    assert got.json()["details"] == []


def test_details_that_envoy_does_not_know_are_the_only_loss(gate, http):
    async def unknown(_request, context):
        status = status_pb2.Status(code=5, message='a "b" %41 ü\n')
        status.details.add(type_url="type.googleapis.com/nobody.Knows", value=b"\x08\x01")
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.NOT_FOUND, status.message, metadata)

    gate.answer("GetJob", unknown)
    assert check(http.get("/v1/jobs/j"), 404) == 'a "b" %41 ü\n'


@pytest.mark.parametrize("given", [None, 'Bearer realm="q", error="invalid_token"'])
def test_401_says_how_to_authenticate(gate, http, given):
    metadata = (("www-authenticate", given),) if given else ()

    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.UNAUTHENTICATED, "no", metadata=metadata)

    gate.answer("GetJob", answer)
    got = http.get("/v1/jobs/j")
    check(got, 401)
    assert got.headers["www-authenticate"] == given or 'Bearer realm="thequantcloud"'


BODIES = {
    '{"shots": "abc"}': 'shots: must be an integer, got "abc"',
    '{"shots": ""}': 'shots: must be an integer, got ""',
    '{"shots": 1.5}': "shots: must be an integer, got 1.5",
    '{"shots": true}': "shots: must be an integer, got true",
    '{"shots": 99999999999}': f"shots: must be {INT32}, got 99999999999",
    '{"shots": "-99999999999"}': f'shots: must be {INT32}, got "-99999999999"',
    '{"shots": 1e22}': f"shots: must be {INT32}, got 1e+22",
    '{"shots": {"a": 1}}': "shots: must be a single value, got an object",
    '{"shots": [1]}': "shots: must be a single value, got a list",
    '{"shots": 1, "shots": 2}': "shots: is given more than once",
    '{"qasm": 5}': "qasm: must be a string, got 5",
    '{"qasm": ["h q;"]}': "qasm: must be a single value, got a list",
    '{"qasm": {"a": 1}}': "qasm: must be a single value, got an object",
    '{"max_cost_usd": "much"}': 'max_cost_usd: must be a number, got "much"',
    '{"optimize_for": "fastest"}': (
        'optimize_for: must be one of balanced, speed, accuracy, cost, got "fastest"'
    ),
    '{"optimize_for": ["speed"]}': "optimize_for: must be a single value, got a list",
    '{"options": 5}': "options: must be an object, got 5",
    '{"options": "x"}': 'options: must be an object, got "x"',
    '{"options": [1]}': 'options: must be an object, such as {"seed": ...}, got a list',
    '{"parameters": [1]}': "parameters: must be an object, got a list",
    '{"parameters": {"t": [1]}}': (
        'parameters.t: must be an object, such as {"values": ...}, got a list'
    ),
    '{"parameters": {"t": 1}}': 'parameters.t: must be an object, such as {"values": ...}',
    '{"parameters": {"t": {"values": [0, null]}}}': "parameters.t.values[1]: must not be null",
    '{"parameters": {"t": {"values": [[0], 1]}}}': (
        "parameters.t.values[0]: must be a single value, got a list"
    ),
    '{"tags": ["a", null]}': "tags[1]: must not be null",
    '{"observables": [{"terms": [{"pauli": "Z", "coefficient": [1]}]}]}': (
        "observables[0].terms[0].coefficient: must be a single value, got a list"
    ),
    '{"options": {"noise": {"qubits": {"0": {"readout": [[1, 0], [null, 1]]}}}}}': (
        "options.noise.qubits.0.readout[1][0]: must not be null"
    ),
    '{"options": {"noise": {"qubits": {"0": {"readout": [[[1]]]}}}}}': (
        "options.noise.qubits.0.readout[0][0]: must be a single value, got a list"
    ),
    '{"shots": "a\\"b\\\\c\\u0007\\u00fc\\ud83d\\ude00"}': (
        'shots: must be an integer, got "a"b\\c\x07ü\U0001f600"'
    ),
    '{"shots": "' + "ä" * 1000 + '"}': 'shots: must be an integer, got "' + "ä" * 29 + "...",
    "[1]": "body: must be a JSON object",
    "5": "body: must be a JSON object",
    '"qasm"': "body: must be a JSON object",
    "null": "body: must be a JSON object",
    "{": (
        "body: is not valid JSON at its end: unexpected end of string. Expected an object key or }"
    ),
    '{"qasm": "a': "body: is not valid JSON at its end: closing quote expected in string",
    '{"qasm" "a"}': (
        'body: is not valid JSON near "a"}: expected : between key:value pair'
    ),
    '{"shots": tru}': (
        "body: is not valid JSON near tru}: "
        "expected a value in double quotes, a number, true, false or null"
    ),
    '{"qasm": "a"} x': "body: is not valid JSON near x: parsing terminated before end of input",
    '{"qasm": "\\ud800"}': (
        'body: is not valid JSON near \\ud800"}: missing low surrogate'
    ),
    '{"": 1}': "body: has a key with an empty name",
    '{"shots": ' + '{"a": ' * 200 + "1" + "}" * 200 + "}": "body: is nested too deeply",
    '{"shots": ' + "[" * 100_000 + "}": "shots: must be a single value, got a list",
}  # fmt: skip


@pytest.mark.parametrize(("body", "detail"), BODIES.items(), ids=[body[:30] for body in BODIES])
def test_a_body_that_does_not_match_the_contract_is_explained(gate, http, body, detail):
    got = http.post("/v1/circuits/run", content=body.encode())
    assert check(got, 400) == detail
    assert got.json() == invalid(detail, *detail.split(": ", 1))
    assert got.headers["x-ratelimit-limit"] == "30"
    [counted] = gate.upstream.refused
    assert counted["x-refused"] == "POST /v1/circuits/run"
    assert gate.upstream.requests == []


BATCHES = {
    '{"circuits": ["h q;"]}': 'circuits[0]: must be an object, got "h q;"',
    '{"circuits": [{}, 5]}': "circuits[1]: must be an object, got 5",
    '{"circuits": "h q;"}': 'circuits: must be an object, got "h q;"',
    '{"circuits": [[{}]]}': 'circuits[0]: must be an object, such as {"qasm": ...}, got a list',
    '{"circuits": [{}, null]}': "circuits[1]: must not be null",
    '{"circuits": [{"shots": "abc"}]}': 'circuits[0].shots: must be an integer, got "abc"',
}


@pytest.mark.parametrize(("body", "detail"), BATCHES.items(), ids=BATCHES)
def test_a_batch_that_does_not_match_the_contract_is_explained(gate, http, body, detail):
    got = http.post("/v1/circuits/run-batch", content=body.encode())
    assert check(got, 400) == detail
    assert gate.upstream.requests == []


def test_a_body_that_is_not_text_is_refused(http):
    got = http.post("/v1/circuits/run", content=b'{"qasm": "\xff\xfe"}')
    assert check(got, 400).startswith("body: is not valid JSON near ")
    assert "non UTF-8" in check(got, 400)


def test_an_empty_body_is_an_empty_object(gate, http):
    assert http.post("/v1/circuits/run").status_code == 202
    assert gate.last("RunCircuit")[0].ByteSize() == 0


LISTED = (
    "page_token, limit, offset, status, status_filter, backend, tag, name_prefix, "
    "submitted_after, submitted_before"
)
TIME = "submitted_after: must be a time, such as 2025-03-31T12:00:00Z"
QUERIES = {
    "/v1/jobs?limit=abc": 'limit: must be an integer, got "abc"',
    "/v1/jobs?limit=": 'limit: must be an integer, got ""',
    "/v1/jobs?limit=1.5": 'limit: must be an integer, got "1.5"',
    "/v1/jobs?limit=99999999999": f'limit: must be {INT32}, got "99999999999"',
    "/v1/jobs?limit=1&limit=2": "limit: is given more than once",
    "/v1/jobs?limit=%22%0A%5C": 'limit: must be an integer, got ""\n\\"',
    "/v1/jobs?submitted_after=today": TIME,
    "/v1/jobs?submitted_after=0000-01-01T00:00:00Z": TIME,
    "/v1/jobs?limit.x=1": "limit.x: is unknown; did you mean 'limit'?",
    "/v1/jobs?status=done": f'status: must be one of {STATUSES}, got "done"',
    "/v1/jobs?status_filter=done": f'status_filter: must be one of {STATUSES}, got "done"',
    "/v1/jobs?foo=1": f"foo: is unknown; known are {LISTED}",
    "/v1/jobs?foo": f"foo: is unknown; known are {LISTED}",
    "/v1/jobs?fo%22o=1": f"fo%22o: is unknown; known are {LISTED}",
    "/v1/jobs?=1": "query: has a parameter without a name",
    "/v1/jobs?limit": "limit: has no value",
    "/v1/jobs?&offset=1&&Limit=1": "Limit: is unknown; did you mean 'limit'?",
    "/studio/v1/jobs?foo=1": f"foo: is unknown; known are {LISTED}",
    "/v1/backends?foo=1": "foo: is unknown; none is known here",
    "/v1/jobs/j?foo=1": "foo: is unknown; known are wait_seconds",
    "/v1/jobs/j?id=k": "id: is unknown; known are wait_seconds",
    "/v1/jobs/j/result?id=k": "id: is unknown; known are point_offset, point_limit",
    "/v1/backends/b?name=k": "name: is unknown; none is known here",
    "/v1/jobs/j/events?with_result=perhaps": 'with_result: must be true or false, got "perhaps"',
    "/v1/jobs/events?status=done": f'status: must be one of {STATUSES}, got "done"',
}


@pytest.mark.parametrize(("path", "detail"), QUERIES.items())
def test_a_query_that_does_not_match_the_contract_is_explained(gate, http, path, detail):
    got = http.get(path)
    assert check(got, 400) == detail
    assert got.json() == invalid(detail, *detail.split(": ", 1))
    assert got.headers["x-ratelimit-limit"] == "30"
    [counted] = gate.upstream.refused
    assert counted["x-refused"] == f"GET {path.partition('?')[0].removeprefix('/studio')}"
    assert gate.upstream.requests == []


def test_a_call_with_a_body_has_no_query_parameters(gate, http):
    got = http.post("/v1/circuits/run?shots=5", json={"qasm": "h q;"})
    assert check(got, 400) == "shots: is unknown; none is known here"
    assert gate.upstream.requests == []


def test_the_callers_credentials_count_a_refused_request(gate, http):
    headers = {"Authorization": "Bearer a", "X-API-Key": "b"}
    got = http.get("/v1/jobs?foo=1", headers=headers)
    [counted] = gate.upstream.refused
    assert (counted["authorization"], counted["x-api-key"]) == ("Bearer a", "b")
    assert counted["x-request-id"] == got.headers["x-request-id"]
    assert counted["x-forwarded-for"].startswith("127.0.0.1")


def test_an_error_of_the_server_is_not_counted_again(gate, http):
    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "no")

    gate.answer("RunCircuit", answer)
    assert check(http.post("/v1/circuits/run", json={}), 400) == "no"
    assert gate.upstream.refused == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/nope?secret=1", "/nope"),
        ("/v2/jobs", "/v2/jobs"),
        ("/v1/jobs/", "/v1/jobs/"),
        ("/v1/jobs/j/", "/v1/jobs/j/"),
        ("/v1/jobs/j/more", "/v1/jobs/j/more"),
        ("/v1/backends/a/../../../etc/passwd", "/etc/passwd"),
        ("/thequantcloud.v1.JobService/GetJob", "/thequantcloud.v1.JobService/GetJob"),
        ("/" + "x" * 500, "/" + "x" * 199),
    ],
)
def test_an_unknown_path_is_404_and_named(gate, http, path, shown):
    assert check(http.get(path), 404) == (
        f"There is nothing at {shown}. The API is at /health and below /v1, as in GET /v1/backends."
    )
    assert gate.upstream.requests == []


def exchange(gate, raw):
    """Send bytes and read the answer."""
    with socket.create_connection(("127.0.0.1", gate.envoy.http_port), timeout=5) as connection:
        connection.sendall(raw)
        answer = connection.makefile("rb")
        head = b"".join(iter(answer.readline, b"\r\n")).decode().lower()
        body = answer.read(int(re.search(r"content-length: (\d+)", head)[1]))
    return head, body.decode()


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"FROB / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /v1/circuits/run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_request_that_is_not_http_is_400(gate, raw):
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 400 bad request")
    assert "content-type: application/json" in head
    sentence = "This is not a valid HTTP request."
    assert json.loads(body) == invalid(sentence, "request", sentence)
    assert gate.upstream.refused == []


def test_a_path_with_quotes_is_shown_as_valid_json(gate):
    raw = b'GET /a"b\\c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 404")
    assert httpx.Response(404, text=body).json()["detail"].startswith("There is nothing at /a")


JSON = "Content-Type: must be application/json, got "
CONTENT = {
    "text/plain; charset=utf-8": f"{JSON}text/plain.",
    "application/x-www-form-urlencoded": f"{JSON}application/x-www-form-urlencoded.",
    "multipart/form-data; boundary=x": f"{JSON}multipart/form-data.",
    "application/jsonx": f"{JSON}application/jsonx.",
    "application/grpc": (
        "There is no gRPC at this path: it takes JSON, as Content-Type: application/json."
    ),
}


@pytest.mark.parametrize("size", [2, 20_000])
@pytest.mark.parametrize(("kind", "detail"), CONTENT.items(), ids=CONTENT)
def test_a_body_that_is_not_json_is_415(gate, http, kind, detail, size):
    body = b"x" * size
    got = http.post("/v1/circuits/run", content=body, headers={"Content-Type": kind})
    assert check(got, 415) == detail
    reached = [*(metadata for _, _, metadata in gate.upstream.requests), *gate.upstream.uploads]
    assert got.headers["x-request-id"] not in [one.get("x-request-id") for one in reached]


@pytest.mark.parametrize("kind", [None, "", "Application/JSON", "application/json; charset=utf-8"])
def test_a_body_without_a_content_type_is_json(http, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    assert http.post("/v1/circuits/run", content=b"{}", headers=headers).status_code == 202


def test_the_content_type_of_an_empty_body_is_ignored(http):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post("/v1/jobs/j/cancel", content=b"", headers=headers).status_code == 200
    assert http.get("/v1/jobs/j", headers=headers).status_code == 200


@pytest.mark.parametrize("protocol", ["websocket", "another"])
def test_an_upgrade_is_refused_and_the_alternative_named(http, protocol):
    headers = {"Connection": "Upgrade", "Upgrade": protocol}
    assert check(http.get("/v1/jobs/events", headers=headers), 400) == (
        "Upgrade: is not supported, nor are WebSockets. Events come as server-sent events, "
        "as from GET /v1/jobs/events."
    )


def test_a_transfer_encoding_other_than_chunked_is_refused(gate):
    raw = b"POST /v1/circuits/run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 400")
    problem = "must be chunked, or left out."
    assert json.loads(body) == invalid(
        f"Transfer-Encoding: {problem}", "Transfer-Encoding", problem
    )


def test_headers_that_are_too_large_are_431(http):
    got = http.get("/health", headers={"x-large": "x" * 13_000})
    assert got.status_code == 431
    assert got.headers["content-type"] == "application/json"
    assert got.json() == error_json(
        "The headers are too large: they may have 12 KiB in all, with 32 bytes more for each."
    )
    # More than Envoy itself accepts.
    assert http.get("/health", headers={"x-large": "x" * 100_000}).json() == got.json()
    assert http.get("/health", headers={"x-large": "x" * 11_000}).status_code == 200
    many = {f"x-{number}": "x" * 50 for number in range(90)}
    assert http.get("/health", headers=many).status_code == 200


def test_a_call_that_the_server_cancels_is_503(gate, http):
    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.CANCELLED, "CANCELLED")

    gate.answer("GetJob", answer)
    refused = http.get("/v1/jobs/j")
    assert check(refused, 503) == "The service cannot answer at the moment. Try again."
    assert refused.headers["retry-after"] == "1"
    with grpc.insecure_channel(gate.target) as channel:
        jobs = job_pb2_grpc.JobServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            jobs.GetJob(job_pb2.GetJobRequest(id="j"))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error.value.details() == "The service cannot answer at the moment. Try again."
