"""Failures of one database: what its callers are told, and what the log."""

import logging
import time

from quantcloud.storage.errors import Failure, cause_of, domain_error, failure_of

_log = logging.getLogger(__name__)

# A failure that goes on is logged so often, however many calls meet it.
_QUIET_SECONDS = 60.0


class Faults:
    """Translates the errors of the database `name`, which is its file, or its URL without password.

    They are logged once `logged` is set. Before that, whoever opens the database reports them.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._told: dict[Failure, float] = {}
        self.logged = False

    def translate(self, error: BaseException) -> BaseException:
        """The error to give a caller: a `DomainError` where the database failed, else `error`.

        A note on it, which no caller of the API is shown, names the database and the cause.
        """
        failure = failure_of(error)
        if failure is None:
            return error
        translated = domain_error(failure)
        translated.add_note(f"{self._name}: {cause_of(error)}")
        translated.__cause__ = error
        if self.logged:
            self._log(failure, translated.message, cause_of(error))
        return translated

    def _log(self, failure: Failure, message: str, cause: str) -> None:
        now = time.monotonic()
        if now - self._told.get(failure, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._told[failure] = now
        level = logging.ERROR if failure.needs_operator else logging.WARNING
        _log.log(level, "%s (%s, %s: %s)", message, failure.value, self._name, cause)
