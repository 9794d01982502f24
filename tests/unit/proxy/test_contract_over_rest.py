"""A body or a query that does not match the contract is refused and explained."""

import pytest

from unit.proxy.answers import check, invalid

INT32 = "an integer from -2147483648 to 2147483647"


STATUSES = (
    "submitted, analyzing, routing, queued, dispatched, running, completed, failed, timeout, "
    "cancelled"
)


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
    '{"tags": "a"}': "tags: must be a list",
    '{"tags": 5}': "tags: must be a list",
    '{"tags": {"a": "b"}}': "tags: must be a list",
    '{"observables": {"terms": []}}': "observables: must be a list",
    '{"observables": [{"terms": true}]}': "observables[0].terms: must be a list",
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
    assert counted["x-refused"] == "/thequantcloud.v1.CircuitService/RunCircuit"
    assert gate.upstream.requests == []


BATCHES = {
    '{"circuits": ["h q;"]}': 'circuits[0]: must be an object, got "h q;"',
    '{"circuits": [{}, 5]}': "circuits[1]: must be an object, got 5",
    '{"circuits": "h q;"}': "circuits: must be a list",
    '{"circuits": {"qasm": "h q;"}}': "circuits: must be a list",
    '{"circuits": [[{}]]}': 'circuits[0]: must be an object, such as {"qasm": ...}, got a list',
    '{"circuits": [{}, null]}': "circuits[1]: must not be null",
    '{"circuits": [{"shots": "abc"}]}': 'circuits[0].shots: must be an integer, got "abc"',
}


@pytest.mark.parametrize(("body", "detail"), BATCHES.items(), ids=BATCHES)
def test_a_batch_that_does_not_match_the_contract_is_explained(gate, http, body, detail):
    got = http.post("/v1/circuits/run-batch", content=body.encode())
    assert check(got, 400) == detail
    assert gate.upstream.requests == []


def test_the_metadata_of_a_circuit_are_an_object_with_any_values(gate, http):
    got = http.post("/v1/circuits", content=b'{"metadata": [1]}')
    assert check(got, 400) == "metadata: must be an object, got a list"
    assert gate.upstream.requests == []
    assert http.post("/v1/circuits", json={"metadata": {"a": [[1], {"b": []}]}}).is_success


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
    "/v1/jobs?tag=%FF": "tag: must be UTF-8 text",
    "/v1/jobs?limit=1&name_prefix=a%C3": "name_prefix: must be UTF-8 text",
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


RPCS = {
    "/v1/backends": "/thequantcloud.v1.BackendService/ListBackends",
    "/v1/backends/b": "/thequantcloud.v1.BackendService/GetBackend",
    "/v1/jobs": "/thequantcloud.v1.JobService/ListJobs",
    "/v1/jobs/events": "/thequantcloud.v1.JobService/WatchJobs",
    "/v1/jobs/j": "/thequantcloud.v1.JobService/GetJob",
    "/v1/jobs/j/events": "/thequantcloud.v1.JobService/WatchJob",
    "/v1/jobs/j/result": "/thequantcloud.v1.JobService/GetJobResult",
}


@pytest.mark.parametrize(("path", "detail"), QUERIES.items())
def test_a_query_that_does_not_match_the_contract_is_explained(gate, http, path, detail):
    got = http.get(path)
    assert check(got, 400) == detail
    assert got.json() == invalid(detail, *detail.split(": ", 1))
    assert got.headers["x-ratelimit-limit"] == "30"
    [counted] = gate.upstream.refused
    assert counted["x-refused"] == RPCS[path.partition("?")[0].removeprefix("/studio")]
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
