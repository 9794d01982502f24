"""A TCP proxy that makes an address seem far away, until its standard input ends.

`python -m benchmarks.programs.distant PORT SECONDS` forwards a free local port, which it prints, to
PORT. Each byte arrives SECONDS later, in either direction.
"""

import socket
import sys
import threading
import time
from queue import SimpleQueue

_BYTES = 1 << 20


def _forward(source: socket.socket, sink: socket.socket, seconds: float) -> None:
    """Send what `source` receives to `sink`, `seconds` later."""
    arrived: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def send() -> None:
        while True:
            due, data = arrived.get()
            # A sleep is exact to some 60 microseconds; a timer of asyncio is to a millisecond.
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    threading.Thread(target=send, daemon=True).start()
    data = b"?"
    while data:
        try:
            data = source.recv(_BYTES)
        except OSError:
            data = b""
        arrived.put((time.monotonic() + seconds, data))


def _accept(listener: socket.socket, port: int, seconds: float) -> None:
    while True:
        near, _ = listener.accept()
        far = socket.create_connection(("127.0.0.1", port))
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in ((near, far), (far, near)):
            threading.Thread(target=_forward, args=(*ends, seconds), daemon=True).start()


def main() -> None:
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        threading.Thread(target=_accept, args=(listener, port, seconds), daemon=True).start()
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
