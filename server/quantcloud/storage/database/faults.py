"""Translates and logs the failures of one database."""

import logging
import os
import time
from pathlib import Path

from quantcloud.domain.errors import DomainError, Unavailable
from quantcloud.storage.database.errors import (
    Failure,
    StoreError,
    cause_of,
    domain_error,
    failure_of,
    parent_is_gone,
)

_log = logging.getLogger(__name__)

# The least time between two log entries for the same failure with the same cause.
_LOG_INTERVAL_SECONDS = 60.0


class Faults:
    """Translates the errors of the database `name`: its file, or its URL without password.

    `folder` is the folder of the file. Errors are logged while `logged` is set. Until then, the
    caller that opens the database reports them.
    """

    def __init__(self, name: str, folder: Path | None = None) -> None:
        self._name = name
        self._folder = folder
        self._logged_at: dict[tuple[Failure, str], float] = {}
        self.logged = False

    def translate(self, error: BaseException) -> BaseException:
        """Return a `DomainError` if the database failed or a parent row is gone, else `error`.

        A note on the error names the database and the cause; callers of the API do not see it.
        """
        if parent_is_gone(error):
            gone = Unavailable("the account or what the request names was just deleted; try again")
            gone.__cause__ = error
            return gone
        failure = failure_of(error)
        if failure is None:
            return error
        # SQLite also reports a full disk as an I/O error if it cannot grow its shared memory.
        if failure is Failure.IO_ERROR and self._folder is not None and _is_full(self._folder):
            failure = Failure.FULL
        translated = domain_error(failure)
        translated.add_note(f"{self._name}: {cause_of(error)}")
        translated.__cause__ = error
        if self.logged:
            self._log(failure, translated.message, cause_of(error))
        return translated

    def unusable(self, error: BaseException) -> StoreError:
        """Return the error for a database that cannot be opened."""
        cause = cause_of(error)
        translated = self.translate(error)
        if isinstance(translated, DomainError) and translated.reason == Failure.FULL.value:
            cause = f"its disk is full ({cause})"
        return StoreError(f"cannot use the database {self._name}: {cause}")

    def _log(self, failure: Failure, message: str, cause: str) -> None:
        now = time.monotonic()
        self._logged_at = {
            known: at for known, at in self._logged_at.items() if now - at < _LOG_INTERVAL_SECONDS
        }
        if (failure, cause) in self._logged_at:
            return
        self._logged_at[failure, cause] = now
        # Only an operator can end the other failures.
        level = logging.WARNING if failure is Failure.AWAY else logging.ERROR
        _log.log(level, "%s (%s, %s: %s)", message, failure.value, self._name, cause)


def _is_full(folder: Path) -> bool:
    try:
        return os.statvfs(folder).f_bavail == 0
    except OSError:
        return False
