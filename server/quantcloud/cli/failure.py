"""The error that ends a command with one line for the user, and the exit codes."""

from typing import Final

REFUSED: Final = 1
WRONG_USE: Final = 2
NO_RESULT: Final = 3
NO_SERVER: Final = 4
NO_ACCESS: Final = 5
INTERRUPTED: Final = 130

EXIT_CODES = (
    "Exit codes: 0 done; 1 refused, or an error; 2 wrong arguments; 3 a job ended without a "
    "result; 4 no server answers; 5 no token, or a wrong one; 130 interrupted."
)


class Failure(Exception):  # not a fault of the program, so no "Error" in its name
    """A problem that the user can solve. The text says what it is and how to solve it."""

    def __init__(self, text: str, code: int = REFUSED) -> None:
        super().__init__(text)
        self.code = code
