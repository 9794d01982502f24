"""What ends a command with one line for a person."""


class Failure(Exception):  # what a command says, not a fault of the program
    """Something that the user can mend; the text says what and how."""
