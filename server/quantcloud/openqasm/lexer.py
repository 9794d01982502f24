"""Tokens of OpenQASM 2 and 3, and errors that point at them."""

import re
from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar, cast
from unicodedata import category

from quantcloud.circuits.expressions import ExpressionError
from quantcloud.domain.errors import CircuitError

# Every quantifier is possessive, so no input causes backtracking.
_SPACE: Final = r"[ \t\r\n\f\v]*+"
_COMMENTS: Final = r"""
      | (?P<comment>//[^\n\r]*+|/\*(?s:.*?)\*/)
      | (?P<unclosed>/\*)"""
_LITERALS: Final = r"""
      | (?P<physical>\$[0-9]++)
      | (?P<string>"[^"\n\r]*+"|'[^'\n\r]*+')"""
_REST: Final = r"""
      | (?P<end>\Z)
      | (?P<bad>(?s:.))"""
_BASED: Final = r"(?P<based>0[xX][0-9A-Fa-f_]++|0[oO][0-7_]++|0[bB][01_]++)"
_TOKEN_2: Final = re.compile(
    rf"""{_SPACE}(?:
        (?P<id>[A-Za-z_]\w*+)
      | (?P<real>(?:\d++\.\d*+|\.\d++)(?:[eE][+-]?\d++)?+|\d++[eE][+-]?\d++)
      | {_BASED}
      | (?P<int>\d++){_COMMENTS}
      | (?P<op>->|==|!=|<=|>=|&&|\|\||\*\*|\+\+|[-+*/^()\[\]{{}},;<>=!@:&|~%]){_LITERALS}{_REST}
    )""",
    # With re.ASCII, \w and \d do not match letters and digits of other scripts.
    re.ASCII | re.VERBOSE,
)
_DIGITS: Final = r"[0-9](?:_?[0-9])*+"
_EXPONENT: Final = rf"[eE][+-]?{_DIGITS}"
_REAL_3: Final = (
    rf"(?:{_DIGITS}\.(?:{_DIGITS})?+|\.{_DIGITS})(?:{_EXPONENT})?+|{_DIGITS}{_EXPONENT}"
)
_UNIT: Final = r"(?:dt|[nu\u00b5\u03bcm]?s)(?!\w)"
# In `id`, \w has all letters. `_identifier` then cuts off the digits that are not allowed.
_TOKEN_3: Final = re.compile(
    rf"""{_SPACE}(?:
        (?P<id>[^\W0-9]\w*+)
      | {_BASED}
      | (?P<timing>(?:{_REAL_3}|{_DIGITS}){_UNIT})
      | (?P<imaginary>(?:{_REAL_3}|{_DIGITS})[ \t]*+im(?!\w))
      | (?P<real>{_REAL_3})
      | (?P<int>{_DIGITS}){_COMMENTS}
      | (?P<op>->|==|!=|<<=|>>=|\*\*=|<<|>>|<=|>=|&&|\|\||\*\*|\+\+|[-+*/%&|^~]=
          |[-+*/^()\[\]{{}},;<>=!@:&|~%\#]){_LITERALS}{_REST}
    )""",
    re.VERBOSE,
)
# The categories of Unicode whose characters may stand in a name of OpenQASM 3.
_LETTERS: Final = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nl"})


# The last alternative matches anything, so there is always a match.
_TOKENS: Final = cast(
    "Mapping[int, Callable[[str, int], re.Match[str]]]", {2: _TOKEN_2.match, 3: _TOKEN_3.match}
)

_PRINTED_LENGTH: Final = 40
_LARGEST_PRINTABLE: Final = 0x7E
_LEAST_PRINTABLE: Final = 0x21
_INTEGER_DIGITS: Final = 12
_DECIMAL: Final = 10
_BASES: Final = {"x": 16, "o": 8, "b": 2}

_Item = TypeVar("_Item")


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
    `physical` (`$0`), `string`, `end` or `bad`, and in version 3 also `timing` (`100ns`) or
    `imaginary` (`2im`). `text` is the text of the token, from offset `start` to `end`.
    `previous_end` is the end of the token before.
    """

    kind: str
    text: str

    def __init__(
        self, source: str, version: int = 2, reserved: Container[str] = frozenset()
    ) -> None:
        """Make a cursor that is on no token until the first `seek`.

        `version` is 2 or 3, and `reserved` words cannot be declared as names.
        """
        self.source = source
        self.reserved = reserved
        self.start = -1
        self._next_token = _TOKENS[version]

    def seek(self, offset: int) -> None:
        """Go to the first token at or after `offset`."""
        self.end = offset
        self.advance()

    def advance(self) -> None:
        """Go to the next token.

        Raises `CircuitError` if a comment has no end.
        """
        start = end = self.previous_end = self.end
        kind: str | None = "comment"
        while kind == "comment":
            match = self._next_token(self.source, end)
            kind = match.lastgroup
            start, end = match.span(match.lastindex or 0)
        if kind == "unclosed":
            raise self.error("this comment has no end: '*/' is missing", start)
        self.kind = kind or ""
        self.start = start
        self.end = end
        self.text = self.source[start:end]
        if self.kind == "id" and not self.text.isascii():
            self._check_letters()

    def _check_letters(self) -> None:
        """Shorten a name at its first character that OpenQASM 3 does not allow in names."""
        for place, character in enumerate(self.text):
            if not character.isascii() and category(character) not in _LETTERS:
                self.end = self.start + max(place, 1)
                self.text = self.source[self.start : self.end]
                if not place:
                    self.kind = "bad"
                return

    def error(self, message: str, offset: int | None = None) -> CircuitError:
        """Make an error at `offset`, which by default is that of the current token."""
        line, column = position(self.source, self.start if offset is None else offset)
        return CircuitError(message, line, column)

    @contextmanager
    def located(self, where: str, start: int) -> Generator[None]:
        """Raise an `ExpressionError` as a `CircuitError` at `start`, which says `where`."""
        try:
            yield
        except ExpressionError as error:
            raise self.error(f"{where}: {error}", start) from None

    def described(self) -> str:
        """Return a description of the current token for a message."""
        if self.kind == "end":
            return "the end of the source"
        if self.kind == "bad":
            code = ord(self.text)
            if not _LEAST_PRINTABLE <= code <= _LARGEST_PRINTABLE:
                return f"the character U+{code:04X}"
            if self.text in "\"'":
                return f"{self.text} without its closing {self.text}"
        return shown(self.text)

    def without_operator(self) -> CircuitError:
        """Make the error for an operand that follows another one."""
        return self.error(
            f"an operator is missing before {self.described()}; for a product write '*'"
        )

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

    def include(self, libraries: Sequence[str]) -> None:
        """Go past the name of one of the `libraries`. Raises `CircuitError`."""
        if self.kind != "string":
            raise self.error(f"expected a file name in quotes, got {self.described()}")
        if self.text[1:-1] not in libraries:
            known = " or ".join(f'"{name}"' for name in libraries)
            raise self.error(
                f"cannot include {shown(self.text[1:-1])}: only {known} is known here, and no "
                "file is ever read; put the definitions into the source"
            )
        self.advance()

    def end_statement(self) -> None:
        """Go past the semicolon. Raises `CircuitError` after the statement if there is none."""
        if self.kind == "op" and self.text == ";":
            self.advance()
            return
        if self.kind == "bad" or (self.kind == "op" and self.text != "}"):
            raise self.error(f"expected ';' at the end of the statement, got {self.described()}")
        raise self.error("missing ';' at the end of this statement", self.previous_end)

    def listed(self, read: Callable[[], _Item]) -> list[_Item]:
        """Go past one or more items, separated by commas; return them as `read` does."""
        items = [read()]
        while self.accept(","):
            items.append(read())
        return items

    def listed_before(self, end: str, read: Callable[[], _Item]) -> list[_Item]:
        """Go past items as `listed` does up to `end`; there may be none, or a comma at the end."""
        items: list[_Item] = []
        while not self.at(end):
            items.append(read())
            if not self.accept(","):
                break
        return items

    def name(self, what: str) -> tuple[str, int]:
        """Go past an identifier; return it and its offset. Raises `CircuitError` if it is none."""
        if self.kind != "id":
            raise self.error(f"expected {what}, got {self.described()}")
        found = self.text, self.start
        self.advance()
        return found

    def new_name(self, what: str) -> tuple[str, int]:
        """Go past a name in its declaration; return it and its offset. Raises `CircuitError`."""
        name, start = self.name(what)
        self.check_new_name(name, what, start)
        return name, start

    def check_new_name(self, name: str, what: str, start: int) -> None:
        """Check that a name may be declared. Raises `CircuitError` at `start`."""
        if name in self.reserved:
            raise self.error(f"{shown(name)} is a reserved word, it cannot name {what}", start)

    def new_names(self, what: str, others: Iterable[str] = ()) -> tuple[str, ...]:
        """Go past names, separated by commas, that differ from each other and from `others`."""
        names = dict.fromkeys(others)

        def read() -> str:
            name, start = self.new_name(what)
            if name in names:
                raise self.error(f"{shown(name)} stands twice in this declaration", start)
            names[name] = None
            return name

        return tuple(self.listed(read))

    def gate_operands(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Go past the parameters and the qubits in the head of a gate; return their names."""
        parameters: tuple[str, ...] = ()
        if self.accept("(") and not self.accept(")"):
            parameters = self.new_names("a parameter")
            self.expect(")", "after the parameters")
        return parameters, self.new_names("a qubit", parameters)

    def integer(self, what: str) -> int:
        """Go past a whole number and return it; a number above all limits is capped."""
        value = self.whole_number(what, _INTEGER_DIGITS)
        return 10**_INTEGER_DIGITS if value is None else value

    def whole_number(self, what: str, max_digits: int) -> int | None:
        """Go past a whole number; return it, or None if it has more than `max_digits` digits.

        Raises `CircuitError` if the token is not a whole number.
        """
        if self.kind == "int":
            base, digits = 10, self.text.replace("_", "")
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
