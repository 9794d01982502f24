"""A read of a SQLite file that its caller can cancel."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from quantcloud.storage.database.interface import Connection
from quantcloud.storage.database.statements import PreparedConnection

T = TypeVar("T")


class Reading(Generic[T]):
    """Runs `work` in a transaction, in a connection's thread."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self._lock = threading.Lock()
        # Set only while `work` runs, because an interrupt at the end of the transaction would leave
        # the connection within it.
        self._connection: PreparedConnection | None = None

    def __call__(self, connection: PreparedConnection) -> T:
        with connection.begin():
            self._use(connection)
            try:
                return self._work(connection)
            finally:
                self._use(None)

    def interrupt(self) -> None:
        """Make the running statement, if there is one, fail with an error.

        Called in another thread. It has no effect on later statements:
        https://sqlite.org/c3ref/interrupt.html.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.driver_connection.interrupt()

    def _use(self, connection: PreparedConnection | None) -> None:
        with self._lock:
            self._connection = connection
