"""Bodies and answers that are packed with gzip."""

import gzip
import json
import random
import zlib

import pytest

from thequantcloud.v1.job_pb2 import Job, JobEvent, ListJobsResponse

RUN = "/v1/circuits/run"
MIB = 1024 * 1024
DAMAGED = (
    "body: is not valid gzip, or unpacks to more than 256 times its size; "
    "send it without Content-Encoding"
)
_RANDOM = random.Random(7)


def circuit(size):
    """Return a body with this many random hexadecimal digits, which gzip packs twofold."""
    return json.dumps({"qasm": _RANDOM.randbytes(size // 2).hex(), "shots": 5}).encode()


def post(http, body, path=RUN, encoding="gzip", **headers):
    return http.post(path, content=body, headers={"Content-Encoding": encoding, **headers})


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity", ""])
@pytest.mark.parametrize("size", [10, 20_000, 8_000_000])
def test_a_packed_body_arrives_as_it_was(gate, http, size, encoding):
    body = circuit(size)
    sent = body if encoding in {"identity", ""} else gzip.compress(body)
    got = post(http, sent, encoding=encoding, **{"Cache-Control": "no-transform"})
    assert got.status_code == 202, got.text
    request, metadata = gate.last("RunCircuit")
    assert (request.qasm, request.shots) == (json.loads(body)["qasm"], 5)
    assert "content-encoding" not in metadata or encoding == "identity"


def test_a_packed_body_is_kept_only_once_the_server_admits_it(gate, http):
    assert post(http, gzip.compress(b"{}")).status_code == 202
    assert len(gate.upstream.uploads) == 1
    assert http.post(RUN, content=b"{}").status_code == 202
    assert len(gate.upstream.uploads) == 1


def test_a_packed_body_is_checked_like_another(http):
    refused = post(http, gzip.compress(b'{"shot": 1}'))
    assert refused.json()["detail"] == "shot: is unknown; did you mean 'shots'?"


INCOMPLETE = "body: must be one JSON object that is complete"
# The transcoder does not answer by itself if it finds these errors after the end of the body.
MALFORMED = {
    b'{"shots": ': INCOMPLETE,
    b'{"shots": 1': INCOMPLETE,
    b'{"sho': INCOMPLETE,
    b"5": INCOMPLETE,
    b"  ": INCOMPLETE,
    b"{} x": INCOMPLETE,
    b"[{}]": INCOMPLETE,
    b'{"qasm": "\\ud800"}': "missing low surrogate",
    b'{"shots": 01}': "octal/hex numbers are not valid JSON values",
    b'{"shots": "x"}': 'shots: must be an integer, got "x"',
}


@pytest.mark.parametrize("body", MALFORMED)
def test_packed_malformed_json_is_refused(gate, http, body):
    got = post(http, gzip.compress(body))
    assert got.status_code == 400
    assert MALFORMED[body] in got.json()["detail"]
    assert len(gate.upstream.refused) == 1
    assert gate.upstream.requests == []


def test_a_packed_body_may_be_empty(http):
    assert post(http, gzip.compress(b"")).status_code == 202
    assert post(http, b"").status_code == 202


RAW = gzip.compress(b'{"qasm": "x", "shots": 5}')
BROKEN = {
    "no gzip": b'{"qasm": "x"}',
    "one byte": b"x",
    "cut off": RAW[:-12],
    "without its end": RAW[:-8],
    "with a part of its end": RAW[:-3],
    "another size at its end": RAW[:-4] + b"\x01\0\0\0",
    "changed": RAW[:12] + bytes([RAW[12] ^ 0x55]) + RAW[13:],
    "more after it": RAW + b"\0\0\0\0",
    "two": RAW + gzip.compress(b"    "),
    "zlib": zlib.compress(b'{"qasm": "x"}'),
    "packed too much": gzip.compress(b'{"qasm": "' + b"x" * MIB + b'"}'),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_body_that_is_not_the_gzip_of_its_size_is_refused(gate, http, kind):
    got = post(http, BROKEN[kind])
    assert got.status_code == 400
    assert got.json()["detail"] == DAMAGED
    assert gate.upstream.requests == []


@pytest.mark.parametrize(
    ("path", "most"), [(RUN, 8 * MIB), (f"{RUN}-and-watch", MIB), ("/v1/auth/api-keys", 16 * 1024)]
)
def test_the_limits_hold_for_the_unpacked_body(gate, http, path, most):
    got = post(http, gzip.compress(circuit(9 * MIB)), path)
    assert got.status_code == 413
    assert f"it may have {most} bytes" in got.json()["detail"]
    assert gate.upstream.requests == []


@pytest.mark.parametrize("unpacked", [20 * MIB, 200 * MIB])
def test_a_bomb_is_refused(gate, http, unpacked):
    bomb = gzip.compress(b" " * unpacked, 9)
    assert len(bomb) < unpacked / 900
    assert post(http, bomb).status_code in {400, 413}
    assert gate.upstream.requests == []


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "identity, gzip", "x"])
@pytest.mark.parametrize("size", [2, 20_000])
def test_another_encoding_is_415_and_says_what_to_send(gate, http, encoding, size):
    got = post(http, b"{}".ljust(size), encoding=encoding)
    assert got.status_code == 415
    assert got.headers["accept-encoding"] == "gzip"
    assert got.json()["detail"] == (
        "Content-Encoding: must be gzip, or left out for a body that is not packed, "
        f"got {encoding}."
    )
    assert gate.upstream.requests == gate.upstream.uploads == []


def jobs(*_):
    return ListJobsResponse(jobs=[Job(job_id=str(number)) for number in range(100)])


def test_a_long_answer_is_packed_for_a_client_that_asks(gate, http):
    gate.answer("ListJobs", jobs)
    plain = http.get("/v1/jobs", headers={"Accept-Encoding": "identity"})
    packed = http.get("/v1/jobs", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.num_bytes_downloaded < len(plain.content) / 10
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    refused = http.get("/v1/jobs", headers={"Accept-Encoding": "br"})
    assert "content-encoding" not in refused.headers


def test_a_short_answer_is_not_packed(http):
    got = http.get("/v1/jobs/j", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in got.headers
    assert "vary" not in got.headers


def test_events_are_not_packed(gate, http):
    async def watch(*_):
        for number in range(100):
            yield JobEvent(sequence=number, job=Job(job_id="j" * 50))

    gate.answer("WatchJob", watch)
    got = http.get("/v1/jobs/j/events", headers={"Accept-Encoding": "gzip"})
    assert got.text.count("data:") == 100
    assert "content-encoding" not in got.headers
