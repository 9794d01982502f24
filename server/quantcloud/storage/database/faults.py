"""Failures of one database: what its callers are told, and what the log."""

import logging
import os
import time
from pathlib import Path

from quantcloud.domain.errors import DomainError
from quantcloud.storage.database.errors import (
    Failure,
    StoreError,
    cause_of,
    domain_error,
    failure_of,
)

_log = logging.getLogger(__name__)

# A failure that goes on is logged so often, however many calls meet it.
_QUIET_SECONDS = 60.0


class Faults:
    """Translates the errors of the database `name`, which is its file, or its URL without password.

    `folder` is that of its file. They are logged once `logged` is set. Before that, the caller who
    opens the database reports them.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._name = name
        self._folder = folder
        self._told: dict[Failure, float] = {}
        self.logged = False

    def translate(self, error: BaseException) -> BaseException:
        """The error to give a caller: a `DomainError` where the database failed, else `error`.

        A note on it, which no caller of the API is shown, names the database and the cause.
        """
        failure = failure_of(error)
        if failure is None:
            return error
        # SQLite says so of a full disk, too, where it shares memory with other processes.
        if failure is Failure.IO_ERROR and self._folder is not None and _is_full(self._folder):
            failure = Failure.FULL
        translated = domain_error(failure)
        translated.add_note(f"{self._name}: {cause_of(error)}")
        translated.__cause__ = error
        if self.logged:
            self._log(failure, translated.message, cause_of(error))
        return translated

    def unusable(self, error: BaseException) -> StoreError:
        """The error of a database that cannot be opened."""
        cause = cause_of(error)
        translated = self.translate(error)
        if isinstance(translated, DomainError) and translated.reason == Failure.FULL.value:
            cause = f"its disk is full ({cause})"
        return StoreError(f"cannot use the database {self._name}: {cause}")

    def _log(self, failure: Failure, message: str, cause: str) -> None:
        now = time.monotonic()
        if now - self._told.get(failure, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._told[failure] = now
        level = logging.ERROR if failure.needs_operator else logging.WARNING
        _log.log(level, "%s (%s, %s: %s)", message, failure.value, self._name, cause)


def _is_full(folder: Path) -> bool:
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False
