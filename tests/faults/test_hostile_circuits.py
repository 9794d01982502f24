"""Circuits that try to be expensive, fatal or nosy, against the whole service."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from support.api import Api
from support.circuits import BELL, HEADER
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2, status_pb2

LARGEST = 8 * 1024 * 1024
START = HEADER + "qreg q[3];\ncreg c[3];\n"
DOUBLING = "gate g0 a { x a; } " + "".join(
    f"gate g{level + 1} a {{ g{level} a; g{level} a; }} " for level in range(40)
)


def filled(beginning: str, unit: str, end: str, size: int = LARGEST) -> str:
    """Return `beginning`, as many of `unit` as fit into `size` characters, and `end`."""
    begin = START + beginning
    return begin + unit * ((size - len(begin) - len(end)) // len(unit)) + end


REFUSED = {
    "a thousand million qubits": ("qreg r[1000000000];", "line 5, column 6", "10,000 qubits"),
    "a million bits": ("creg d[1000000];", "line 5, column 6", "100,000 classical bits"),
    "gates that double forty times": (DOUBLING + "\ng40 q[0];", "line 6", "2,000,000 operations"),
    "parentheses that never close": ("rx(" + "(" * 10_000 + "1) q[0];", "line 5", "expected ')'"),
    "a tower of powers": ("rx(" + "pi^" * 1000 + "pi) q[0];", "line 5, column 4", "too large"),
    "a division by zero": ("rx(1/0) q[0];", "line 5, column 4", "division by zero"),
    "no number": ("rx(nan) q[0];", "line 5, column 4", "'nan' is not defined"),
    "zero over zero": ("rx(0/0) q[0];", "line 5, column 4", "division by zero"),
    "the root of -1": ("rx(sqrt(-1)) q[0];", "line 5, column 4", "does not exist"),
    "infinity": ("rx(1e999) q[0];", "line 5, column 4", "too large"),
    "a NUL byte": ("h q[0];\0", "line 5, column 8", "U+0000"),
    "an escape": ("\x1b[2Jh q[0];", "line 5, column 1", "U+001B"),
    "UTF-16": ("h q[0];".encode("utf-16-le").decode("latin-1"), "line 5", "U+0000"),
    "another script's digits": ("h q[\u0661];", "line 5, column 5", "U+0661"),
    "a gate that calls itself": ("gate g a { g a; } g q[0];", "line 5", "calls itself"),
    "a long number": ("rx(" + "9" * 1_000_000 + ") q[0];", "line 5, column 4", "too large"),
    "an unending comment": ("/*" + " *" * 500_000, "line 5, column 1", "no end"),
}
COMPLETED = {
    "ten thousand nested parentheses": "rx(" + "(" * 10_000 + "1" + ")" * 10_000 + ") q[0];",
    "8 MB of one gate": filled("", "h q[0];", "")[len(START) :],
    "8 MB of comments": filled("", "/**/", "h q[0];")[len(START) :],
}
FILES = [
    "/etc/passwd",
    "file:///etc/passwd",
    "../../../../../../etc/passwd",
    "/proc/self/environ",
    "quantcloud.db",
    "qelib1.inc/../../../etc/passwd",
]


@pytest.fixture(scope="module", autouse=True)
def no_unexpected_exception(server: Server) -> Iterator[None]:
    """The server keeps running and meets no unexpected exception."""
    before = server.log_path.read_text().count("unexpected exception")
    yield
    assert server.process.poll() is None
    assert server.log_path.read_text().count("unexpected exception") == before


def refusal(call: Callable[[], object]) -> str:
    """Return the error text of a call, which must fail with INVALID_ARGUMENT."""
    with pytest.raises(grpc.RpcError) as refused:
        call()
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT, refused.value.details()
    return refused.value.details()


@pytest.mark.parametrize("kind", REFUSED)
def test_a_hostile_circuit_is_refused_over_grpc(ada: Api, kind: str):
    statements, place, says = REFUSED[kind]
    detail = refusal(lambda: ada.run(START + statements))
    assert place in detail
    assert says in detail
    assert len(detail) < 400


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("path", ["/v1/circuits/run", "/v1/circuits/plan"])
def test_a_hostile_circuit_is_refused_over_rest(ada: Api, kind: str, path: str):
    statements, place, says = REFUSED[kind]
    response = ada.rest("POST", path, {"qasm": START + statements})
    assert response.status_code == 400
    body = response.json()
    assert place in body["detail"]
    assert says in body["detail"]
    assert body["details"][0]["reason"] == "INVALID_CIRCUIT"


@pytest.mark.parametrize("kind", COMPLETED)
def test_a_large_circuit_within_the_limits_runs(ada: Api, kind: str):
    source = START + COMPLETED[kind]
    assert len(source) <= LARGEST
    last = ada.finish(ada.run(source, backend="local_simulator", shots=100))
    assert last.job.status == job_pb2.Job.completed
    assert sum(last.result.counts.values()) == 100


def test_a_circuit_beyond_8_mb_is_refused(ada: Api):
    assert "8388608" in refusal(lambda: ada.run(filled("", " ", "") + " "))


@pytest.mark.parametrize("version", ["2.0", "3.0"])
@pytest.mark.parametrize("name", FILES)
def test_no_file_is_included(ada: Api, name: str, version: str):
    qasm = f'OPENQASM {version};\ninclude "{name}";\nqreg q[1];\nh q[0];'
    grpc_detail = refusal(lambda: ada.run(qasm))
    rest = ada.rest("POST", "/v1/circuits/run", {"qasm": qasm})
    assert rest.status_code == 400
    for detail in (grpc_detail, rest.json()["detail"]):
        assert detail.startswith("qasm: line 2, column 9: cannot include ")
        assert "no file is ever read" in detail
        assert "root:" not in detail
    saved = ada.rest("POST", "/v1/circuits", {"name": "nosy", "qasm": qasm}).json()
    assert saved["qasm"] == qasm
    assert saved["num_qubits"] is None


# JSON as bytes that no client library would send.
BODIES = {
    "a lone surrogate": rb'{"qasm": "h q[0]; \ud800"}',
    "half a pair": rb'{"qasm": "h q[0]; \udc00\ud800"}',
    "an escaped NUL": rb'{"qasm": "h q[0];\u0000"}',
    "not UTF-8": b'{"qasm": "h q[0]; \xff\xfe"}',
    "Latin-1": '{"qasm": "h q[0]; // \u00e9"}'.encode("latin-1"),
    "UTF-16": json.dumps({"qasm": BELL}).encode("utf-16"),
    "a NUL in the JSON": b'{"qasm": "h\0q"}',
    "overlong UTF-8": b'{"qasm": "h q[0]; \xc0\xaf"}',
    "an encoded surrogate": b'{"qasm": "h q[0]; \xed\xa0\x80"}',
    "deep nesting": b'{"options": ' * 5000 + b"1" + b"}" * 5000,
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_that_is_not_a_circuit_is_400(server: Server, ada: Api, kind: str):
    headers = {**ada.headers, "Content-Type": "application/json"}
    response = server.rest.post("/v1/circuits/run", content=BODIES[kind], headers=headers)
    assert response.status_code == 400, response.text
    assert response.json()["detail"].startswith(
        ("body: is n", "qasm: line 1, column ", "options.options")
    )


def test_text_that_is_not_utf_8_is_refused_over_grpc(server: Server, ada: Api):
    # Field 1 of RunCircuitRequest, as bytes that no generated code would write.
    number = circuit_pb2.RunCircuitRequest.DESCRIPTOR.fields_by_name["qasm"].number
    for text in (b"\xff\xfe", b"h q[0]; \xed\xa0\x80"):
        call = server.channel.unary_unary(
            "/thequantcloud.v1.CircuitService/RunCircuit",
            request_serializer=lambda raw: raw,
            response_deserializer=circuit_pb2.RunCircuitResponse.FromString,
        )
        raw = bytes([number << 3 | 2, len(text)]) + text
        assert "UTF-8" in refusal(lambda call=call, raw=raw: call(raw, metadata=ada.metadata))


class Latencies:
    """The seconds that calls took, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def time(self, name: str, call: Callable[[], object]) -> None:
        began = time.perf_counter()
        call()
        self.seconds.setdefault(name, []).append(time.perf_counter() - began)

    def report(self) -> str:
        lines: list[str] = []
        for name, seconds in self.seconds.items():
            ordered = sorted(seconds)
            at = [ordered[int(len(ordered) * share)] * 1e3 for share in (0.5, 0.95)]
            lines.append(
                f"{name}: p50 {at[0]:.1f}, p95 {at[1]:.1f}, max {ordered[-1] * 1e3:.1f} ms"
            )
        return "\n".join(lines)

    @property
    def worst(self) -> float:
        return max(max(seconds) for seconds in self.seconds.values())


def test_others_are_served_while_hostile_circuits_are_analysed(server: Server, ada: Api):
    """Two accounts send the slowest texts, again and again."""
    hostile = [
        filled("rx(", "1+", "1) q[0];"),
        filled("gate g(a) b { rx(", "a+", "1) b; } g(1) q[0];"),
        filled("rx(", "(", ""),
    ]
    calls = [
        eve.circuits.RunCircuit.future(
            circuit_pb2.RunCircuitRequest(qasm=qasm), metadata=eve.metadata
        )
        for eve in (server.api(), server.api())
        for qasm in hostile
    ]
    # This one is too large to be analysed on the event loop.
    longer = BELL + "//" + " " * 5000
    job = ada.run(BELL)
    latencies = Latencies()
    for _ in range(20):
        latencies.time("GetHealth", lambda: ada.status.GetHealth(status_pb2.GetHealthRequest()))
        latencies.time("health over REST", lambda: server.get("/health"))
        latencies.time(
            "GetJob",
            lambda: ada.jobs.GetJob(job_pb2.GetJobRequest(id=job), metadata=ada.metadata),
        )
        latencies.time("Bell submitted", lambda: ada.run(BELL))
        latencies.time("5 KB submitted", lambda: ada.run(longer))
        latencies.time("Bell to its end", lambda: ada.finish(ada.run(BELL)))
    analysed = [call for call in calls if not call.done()]
    print(latencies.report())  # noqa: T201 (the measured times)
    assert len(analysed) >= 2
    assert latencies.worst < 1, latencies.report()
    for call in calls:
        call.cancel()


def test_an_abandoned_submission_makes_room_for_the_next(server: Server):
    """A caller that disconnects costs nothing more: the analysis ends with the call."""
    eve = server.api()
    for _ in range(3):
        call = eve.circuits.RunCircuit.future(
            circuit_pb2.RunCircuitRequest(qasm=filled("rx(", "1+", "1) q[0];")),
            metadata=eve.metadata,
            timeout=0.3,
        )
        assert call.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
    began = time.perf_counter()
    eve.run(BELL + "//" + " " * 5000)
    assert time.perf_counter() - began < 5


def test_many_concurrent_submissions_get_their_own_answers(server: Server, ada: Api):
    """Threads send hostile and sound circuits together, and each gets its own answer."""
    kinds = list(REFUSED)
    together = threading.Barrier(8)

    def send(number: int) -> bool:
        statements, place, says = REFUSED[kinds[number % len(kinds)]]
        if number < 8:
            together.wait(30)
        if number % 3 == 0:
            return ada.finish(ada.run(BELL)).job.status == job_pb2.Job.completed
        detail = refusal(lambda: ada.run(START + statements))
        return place in detail and says in detail

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(send, range(3 * len(kinds))))


def test_others_are_served_while_a_large_result_is_read(server: Server, ada: Api):
    """Converting hundreds of thousands of outcomes and shots delays no other call."""
    qasm = HEADER + "qreg q[20];\ncreg c[20];\nh q;\nry(0.3) q;\nmeasure q -> c;"
    job = ada.run(qasm, backend="local_simulator", shots=400_000, options={"memory": True})
    *_, last = ada.watch(job)
    assert last.job.status == job_pb2.Job.completed
    # Read it as bytes, so that this process measures the server and not itself.
    read = server.channel.unary_unary(
        "/thequantcloud.v1.JobService/GetJobResult",
        request_serializer=job_pb2.GetJobResultRequest.SerializeToString,
        response_deserializer=len,
    )
    latencies = Latencies()
    for _ in range(2):
        call = read.future(job_pb2.GetJobResultRequest(id=job), metadata=ada.metadata)
        while not call.done():
            latencies.time("GetHealth", lambda: ada.status.GetHealth(status_pb2.GetHealthRequest()))
        assert call.result() > 10 << 20
    print(latencies.report())  # noqa: T201 (the measured times)
    assert latencies.worst < 1, latencies.report()


def test_a_result_that_is_too_large_is_refused(ada: Api):
    qasm = HEADER + "qreg q[900];\ncreg c[900];\nh q;\nmeasure q -> c;"
    last = ada.finish(ada.run(qasm, backend="local_simulator", shots=40_000))
    assert last.job.status == job_pb2.Job.failed
    assert last.job.error_message == "the result is larger than 32 MiB; send fewer shots"
