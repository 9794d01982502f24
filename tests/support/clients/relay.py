"""A TCP relay whose connections a test cuts."""

import socket
import threading
from contextlib import suppress
from typing import Self


class Relay:
    """Passes connections to its port on to `address`, "HOST:PORT"."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = host, int(port)
        self._open: list[socket.socket] = []
        self._stalled: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Cut every open connection."""
        connections, self._open = self._open, []
        for each in connections:
            with suppress(OSError):  # its peer has closed it
                each.shutdown(socket.SHUT_RDWR)
        for each in connections:
            each.close()

    def stall(self) -> None:
        """Pass on nothing more of what open connections send, and keep them open."""
        self._stalled.update(self._open)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += client, server
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # the connection was cut
            while data := source.recv(65536):
                if source not in self._stalled:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)
