"""What ends a command with one line for a person."""


class Failure(Exception):  # what a command says, not a fault of the program
    """Something that the user can mend; the text says what and how."""


def explained(error: Exception) -> str:
    """What an error says, with the notes on it that are for an operator."""
    return "; ".join([str(error), *getattr(error, "__notes__", ())])
