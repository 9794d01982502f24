"""Many requests at the same moment, as after a restart, are all served."""

from collections import Counter
from contextlib import ExitStack

from support.clients.http2 import END_STREAM, HEADERS, RawConnection, headers, status
from support.server import Server

CONNECTIONS, REQUESTS = 5, 900


def test_all_requests_of_a_burst_are_served(server: Server):
    """No response is 499, which means that the client has disconnected."""
    address = server.endpoints.http.removeprefix("http://")
    fields = (
        (":method", "GET"), (":scheme", "http"), (":path", "/v1/account/usage"),
        (":authority", "x"), ("authorization", f"Bearer {server.token(tier='enterprise')}"),
    )  # fmt: skip
    streams = range(1, 2 * REQUESTS, 2)
    burst = b"".join(headers(stream, END_STREAM, fields) for stream in streams)
    answers = Counter[str]()
    with ExitStack() as stack:
        connections = [stack.enter_context(RawConnection(address)) for _ in range(CONNECTIONS)]
        for connection in connections:
            connection.send(burst)
        for connection in connections:
            waiting = set(streams)
            for got in connection.frames():
                # A second HEADERS frame has the trailers.
                if got.kind == HEADERS and got.stream in waiting:
                    answers[status(got.payload)] += 1
                    waiting.remove(got.stream)
                if not waiting:
                    break
    assert answers == {"200": CONNECTIONS * REQUESTS}
