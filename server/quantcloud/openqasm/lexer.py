"""Tokens of OpenQASM 2 and 3, and errors that point at them."""

import re
from collections.abc import Callable
from typing import Final, cast

from quantcloud.domain.errors import CircuitError

# Every quantifier is possessive, so no input causes backtracking. With re.ASCII, \w and \d do not
# match letters, digits and spaces of other scripts.
_TOKEN: Final = re.compile(
    r"""[ \t\r\n\f\v]*+(?:
        (?P<id>[A-Za-z_]\w*+)
      | (?P<real>(?:\d++\.\d*+|\.\d++)(?:[eE][+-]?\d++)?+|\d++[eE][+-]?\d++)
      | (?P<based>0[xX][\dA-Fa-f_]++|0[oO][0-7_]++|0[bB][01_]++)
      | (?P<int>\d++)
      | (?P<comment>//[^\n\r]*+|/\*(?s:.*?)\*/)
      | (?P<unclosed>/\*)
      | (?P<op>->|==|!=|<=|>=|&&|\|\||\*\*|\+\+|[-+*/^()\[\]{},;<>=!@:&|~%])
      | (?P<physical>\$\d++)
      | (?P<string>"[^"\n\r]*+"|'[^'\n\r]*+')
      | (?P<pi>[\u03c0\u03c4\u2107])
      | (?P<end>\Z)
      | (?P<bad>(?s:.))
    )""",
    re.ASCII | re.VERBOSE,
)

_KINDS: Final = ("", *sorted(_TOKEN.groupindex, key=_TOKEN.groupindex.__getitem__))
_UNCLOSED: Final = _TOKEN.groupindex["unclosed"]
_SPECIAL: Final = frozenset({_UNCLOSED, _TOKEN.groupindex["comment"]})
# The last alternative matches anything, so there is always a match.
_next_token = cast("Callable[[str, int], re.Match[str]]", _TOKEN.match)

_PRINTED_LENGTH: Final = 40
_LARGEST_PRINTABLE: Final = 0x7E
_LEAST_PRINTABLE: Final = 0x21
_INTEGER_DIGITS: Final = 12
_DECIMAL: Final = 10
_BASES: Final = {"x": 16, "o": 8, "b": 2}


def shown(text: str) -> str:
    """Quote a part of a user's source for a message, shortened and in plain ASCII."""
    clipped = text if len(text) <= _PRINTED_LENGTH else text[:_PRINTED_LENGTH] + "..."
    return ascii(clipped)


def position(source: str, offset: int) -> tuple[int, int]:
    r"""Return the 1-based line and column of an offset; lines end in `\n`, `\r\n` or `\r`."""
    before = source[:offset]
    breaks = before.count("\n") + before.count("\r") - before.count("\r\n")
    start = max(before.rfind("\n"), before.rfind("\r")) + 1
    return breaks + 1, offset - start + 1


class Lexer:
    """A cursor on one token of a source.

    `kind` is `id`, `real`, `based` (an integer in hexadecimal, octal or binary), `int`, `op`,
    `physical` (`$0`), `string`, `pi` (a constant's Greek letter), `end` or `bad`. `text` is the
    text of the token, from offset `start` to `end`. `previous_end` is the end of the token before.
    """

    __slots__ = ("end", "kind", "previous_end", "source", "start", "text")

    def __init__(self, source: str) -> None:
        """Make a cursor that is on no token until the first `seek`."""
        self.source = source
        self.start = -1

    def seek(self, offset: int) -> None:
        """Go to the first token at or after `offset`."""
        self.end = offset
        self.advance()

    def advance(self) -> None:
        """Go to the next token.

        Raises `CircuitError` if a comment has no end.
        """
        end = self.previous_end = self.end
        while True:
            match = _next_token(self.source, end)
            group = match.lastindex or 0
            start, end = match.span(group)
            if group not in _SPECIAL:
                break
            if group == _UNCLOSED:
                raise self.error("this comment has no end: '*/' is missing", start)
        self.kind = _KINDS[group]
        self.start = start
        self.end = end
        self.text = match[group]

    def error(self, message: str, offset: int | None = None) -> CircuitError:
        """Make an error at `offset`, which by default is that of the current token."""
        line, column = position(self.source, self.start if offset is None else offset)
        return CircuitError(message, line, column)

    def described(self) -> str:
        """Return a description of the current token for a message."""
        if self.kind == "end":
            return "the end of the source"
        if self.kind in ("bad", "pi"):
            code = ord(self.text)
            if not _LEAST_PRINTABLE <= code <= _LARGEST_PRINTABLE:
                return f"the character U+{code:04X}"
            if self.text in "\"'":
                return f"{self.text} without its closing {self.text}"
        return shown(self.text)

    def at(self, text: str) -> bool:
        """Return whether the current token is this operator or word."""
        return self.text == text and self.kind != "string"

    def accept(self, text: str) -> bool:
        """Go past `text` if it is the current token; return whether it was."""
        if self.text == text and self.kind != "string":
            self.advance()
            return True
        return False

    def expect(self, text: str, where: str) -> None:
        """Go past `text`. Raises `CircuitError`, which says `where`, if it is not the token."""
        if not self.accept(text):
            raise self.error(f"expected '{text}' {where}, got {self.described()}")

    def end_statement(self) -> None:
        """Go past the semicolon. Raises `CircuitError` after the statement if there is none."""
        if self.kind == "op" and self.text == ";":
            self.advance()
            return
        if self.kind == "bad" or (self.kind == "op" and self.text != "}"):
            raise self.error(f"expected ';' at the end of the statement, got {self.described()}")
        raise self.error("missing ';' at the end of this statement", self.previous_end)

    def name(self, what: str) -> tuple[str, int]:
        """Go past an identifier; return it and its offset. Raises `CircuitError` if it is none."""
        if self.kind != "id":
            raise self.error(f"expected {what}, got {self.described()}")
        found = self.text, self.start
        self.advance()
        return found

    def integer(self, what: str) -> int:
        """Go past a whole number and return it; a number above all limits is capped."""
        value = self.whole_number(what, _INTEGER_DIGITS)
        return 10**_INTEGER_DIGITS if value is None else value

    def whole_number(self, what: str, max_digits: int) -> int | None:
        """Go past a whole number; return it, or None if it has more than `max_digits` digits.

        Raises `CircuitError` if the token is not a whole number.
        """
        if self.kind == "int":
            base, digits = 10, self.text
        elif self.kind == "based":
            base, digits = _BASES[self.text[1].lower()], self.text[2:].replace("_", "")
        else:
            got = "a negative number" if self.at("-") else self.described()
            raise self.error(f"expected {what}, a whole number, got {got}")
        self.advance()
        digits = digits.lstrip("0") or "0"
        if base != _DECIMAL:
            # Bases that are powers of two are converted in linear time, so any length is allowed.
            value = int(digits, base)
            return value if value.bit_length() <= 4 * max_digits else None
        return None if len(digits) > max_digits else _decimal(digits)


# Python refuses to convert more than 4,300 decimal digits in one call.
_CHUNK: Final = 4_000


def _decimal(digits: str) -> int:
    value = 0
    for start in range(0, len(digits), _CHUNK):
        chunk = digits[start : start + _CHUNK]
        value = value * 10 ** len(chunk) + int(chunk)
    return value
