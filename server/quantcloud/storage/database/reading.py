"""A read of a SQLite file that its caller may give up."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from quantcloud.storage.database.interface import Connection
from quantcloud.storage.database.statements import PreparedConnection

T = TypeVar("T")


class Reading(Generic[T]):
    """`work` in a transaction, carried out in a connection's thread."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        # Set while `work` is at it, so that no end of a transaction is broken off: the connection
        # would be left within it.
        self._connection: PreparedConnection | None = None

    def __call__(self, connection: PreparedConnection) -> T:
        with connection.begin():
            self._use(connection)
            try:
                return self._work(connection)
            finally:
                self._use(None)

    def break_off(self) -> None:
        """End the statement that is being carried out, if one is, with an error.

        Called in another thread. SQLite forgets it when the next statement begins:
        https://sqlite.org/c3ref/interrupt.html.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.driver_connection.interrupt()

    def _use(self, connection: PreparedConnection | None) -> None:
        with self._lock:
            self._connection = connection
