"""The error that ends a command with one line for the user."""


class Failure(Exception):  # not a fault of the program, so no "Error" in its name
    """A problem that the user can solve. The text says what it is and how to solve it."""
