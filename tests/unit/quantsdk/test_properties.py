"""Programs drawn at random from the subset: the SDK and the interpreter build the same circuit, or
both refuse the program."""

from itertools import chain
from unittest import mock

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse
from quantcloud.quantsdk import Program, read, values
from quantcloud.quantsdk.expressions import NotUnderstood
from unit.quantsdk.programs import HEAD, PROGRAMS
from unit.quantsdk.reference import TakesTooLong, build

PROLOGUE = f"""{HEAD}
a, b, n, rounds = 3, 7, 0, 0
xs = [2, 0, 5]
ys = (1, 4)
word = "0110"
table = {{"k": 2, 1: 9}}
def turn(circuit, qubit, angle=0.25, times=1):
    for _ in range(times):
        circuit.ry(qubit, angle)
    return angle * 2
def fold(k, total=0):
    if k <= 0:
        return total
    return fold(k - 1, total + k)
c = qs.Circuit(4, name=f"{{a:02d}}-{{word!r}}")
"""

BINARY = ["+", "-", "*", "//", "%", "&", "|", "^"]
# Python itself would never end with a large number on the right.
BOUNDED = ["<< {} % 8", ">> {} % 8", "** ({} % 4)"]
LEAVES = ["a", "b", "n", "0", "1", "2", "-3", "len(xs)", "len(ys)", "sum(xs)", "xs[-1]", "ys[0]",
          "int(word, 2)", "table['k']", "True", "c.depth", "len(c)", "c.gate_count", "xs[n % 3]",
          "word.count('1')", "fold(3)", "round(2.5)", "max(1, 2)"]  # fmt: skip


def wholes():
    def grown(inner):
        return st.one_of(
            st.tuples(inner, st.sampled_from(BINARY), inner).map(lambda t: f"({' '.join(t)})"),
            st.tuples(inner, st.sampled_from(BOUNDED), inner).map(
                lambda t: f"({t[0]} {t[1].format(t[2])})"
            ),
            st.tuples(st.sampled_from(["-", "+", "~", "not "]), inner).map(
                lambda t: f"({''.join(t)})"
            ),
            st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(
                lambda t: f"{t[0]}({t[1]}, {t[2]})"
            ),
            inner.map(lambda e: f"abs({e})"),
            inner.map(lambda e: f"int({e})"),
            st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
            st.tuples(inner, inner).map(lambda t: f"xs[({t[0]}) % 3:({t[1]}) % 4][:1] == [0]"),
            inner.map(lambda e: f"sum([v * {e} for v in xs if v != 2])"),
            inner.map(lambda e: f"len([v for v in range({e} % 9) for w in ys if v < w])"),
        )

    return st.recursive(st.sampled_from(LEAVES), grown, max_leaves=4)


def conditions():
    compared = st.tuples(
        wholes(), st.sampled_from(["<", "<=", "==", "!=", ">", ">=", "in xs and 1 <"]), wholes()
    ).map(" ".join)
    joined = st.tuples(compared, st.sampled_from(["and", "or"]), compared).map(" ".join)
    return st.one_of(compared, joined, compared.map(lambda e: f"not ({e})"))


def qubits(count):
    """So many qubits, which differ in most cases."""
    return st.tuples(wholes(), st.permutations(range(4))).map(
        lambda t: [f"(({t[0]}) + {place}) % 4" for place in t[1][:count]]
    )


def angles():
    number = st.floats(-10, 10).map(repr)
    return st.one_of(
        number,
        wholes(),
        wholes().map(lambda e: f"math.pi / (1 + abs({e}))"),
        wholes().map(lambda e: f"math.sin({e}) * 0.5"),
        st.tuples(number, wholes()).map(lambda t: f"round({t[0]}, ({t[1]}) % 5)"),
        number.map(lambda e: f"float(f'{{{e}:.3f}}')"),
        st.tuples(number, st.sampled_from(BINARY), wholes()).map(lambda t: f"({' '.join(t)})"),
    )


def calls():
    one = st.tuples(st.sampled_from(["h", "x", "sdg", "reset", "measure"]), qubits(1))
    two = st.tuples(st.sampled_from(["cx", "swap", "ecr", "dcx"]), qubits(2))
    plain = st.one_of(one, two).map(lambda t: f"{t[0]}({', '.join(t[1])})")
    turned = st.tuples(st.sampled_from(["rx", "p"]), qubits(1), angles()).map(
        lambda t: f"{t[0]}({t[1][0]}, {t[2]})"
    )
    named = st.tuples(qubits(2), angles()).map(
        lambda t: f"cp(target={t[0][0]}, lam={t[1]}, control={t[0][1]})"
    )
    return st.lists(st.one_of(plain, turned, named), min_size=1, max_size=3).map(
        lambda several: "c." + ".".join(several)
    )


def indented(lines):
    return ["    " + line for line in lines]


def blocks():
    simple = st.one_of(
        calls(),
        wholes().map(lambda e: f"a = {e}"),
        st.tuples(st.sampled_from(["+=", "-=", "*=", "//=", "%="]), wholes()).map(
            lambda t: f"n {t[0]} {t[1]}"
        ),
        wholes().map(lambda e: f"xs.append({e})"),
        wholes().map(lambda e: f"xs[({e}) % len(xs)] = {e}"),
        wholes().map(lambda e: f"xs += [{e}]"),
        st.tuples(qubits(1), angles()).map(
            lambda t: f"b = turn(c, {t[0][0]}, times=2, angle={t[1]})"
        ),
        wholes().map(lambda e: f"a, b = b, {e}"),
        st.just("c.barrier([0, 2])"),
        st.just("print(c.draw(), f'{a}', sep='')"),
        wholes().map(lambda e: f"c = qs.Circuit(4) if ({e}) == 2 else c.copy()"),
        wholes().map(lambda e: f"if ({e}) % 5 == 4: qs.run(c, shots=1 + abs({e}) % 100)"),
    ).map(lambda line: [line])

    def grown(inner):
        body = st.lists(inner, min_size=1, max_size=3).map(
            lambda b: indented(chain.from_iterable(b))
        )
        return st.one_of(
            st.tuples(conditions(), body, body).map(
                lambda t: [f"if {t[0]}:", *t[1], "else:", *t[2]]
            ),
            st.tuples(wholes(), body).map(lambda t: [f"for v in range(({t[0]}) % 4):", *t[1]]),
            body.map(lambda b: ["for n, a in enumerate(list(xs), 1):", *b]),
            body.map(lambda b: ["for (n, a) in zip(reversed(ys), word):", "    a = int(a)", *b]),
            st.tuples(conditions(), body).map(
                # Python itself must come to an end of all such loops together.
                lambda t: [
                    f"while rounds < 9 and ({t[0]}):",
                    "    rounds += 1",
                    "    if rounds == 7: continue",
                    "    if rounds == 5: break",
                    *t[1],
                ]
            ),
        )

    return st.lists(st.recursive(simple, grown, max_leaves=4), min_size=1, max_size=6).map(
        lambda several: "\n".join(chain.from_iterable(several))
    )


@pytest.mark.slow
@settings(max_examples=60)
@given(blocks())
@example("c.rx(0, -0.0).rx(0, True).rx(0, 10 ** 18)")
@example("b = turn(c, 0)\nc.h(b * 0)")
def test_random_programs_build_what_the_sdk_builds(body):
    source = PROLOGUE + body
    try:
        circuit, run = build(source)
    except TakesTooLong:
        reject()  # what the SDK does with it is not known
    except (ArithmeticError, LookupError, TypeError, ValueError, MemoryError):
        with pytest.raises(NotUnderstood):
            read(source)
        return
    # The SDK writes True as an angle or a qubit as Python does.
    written = circuit.to_openqasm().replace("True", "1").replace("False", "0")
    try:
        program = read(source)
    except NotUnderstood as error:
        if "takes more than" in error.message:
            reject()  # Python took the steps.
        # Python's numbers have no largest one.
        if not any(word in error.message for word in ("too large", "finite", "complex")):
            # The SDK takes 0.0 as a qubit, and writes what is no OpenQASM.
            with pytest.raises(CircuitError):
                parse(written)
        return
    assert parse(program.qasm) == parse(written)
    assert program.settings.shots == run.get("shots")


TOKENS = [
    *("c", "c.h(0)", "qs", "math", "(", ")", "[", "]", "{", "}", ":", ",", ".", "=", "==", "\n"),
    *("\n    ", "if ", "for ", " in ", "while ", "def f():", "return ", "lambda:", "import ", "*"),
    *("**", "<<", "9", "9999999999", "1e308", "'x'", 'f"{', '}"', "range", "list", "__class__"),
    *(
        "print",
        "break",
        "else:",
        "not ",
        "-",
        "\0",
        "\t",
        "é",
        "#",
        "\\",
        ";",
        "@",
        "yield ",
        "None",
    ),
]


@pytest.mark.slow
@settings(max_examples=200)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(TOKENS), max_size=25).map("".join),
        st.tuples(
            st.sampled_from(sorted(PROGRAMS)), st.integers(0, 2000), st.integers(0, 6),
            st.lists(st.sampled_from(TOKENS), max_size=3).map("".join),
        ).map(lambda t: PROGRAMS[t[0]][: t[1]] + t[3] + PROGRAMS[t[0]][t[1] + t[2] :]),
    )
)  # fmt: skip
@example("\ud800")
def test_any_text_is_a_program_or_is_refused_with_its_place(text):
    try:
        with mock.patch.object(values, "MAX_STEPS", 5_000):
            assert isinstance(read(text), Program)
    except NotUnderstood as error:
        assert error.field == "code"
        assert 1 <= error.line <= text.count("\n") + text.count("\r") + 2
        assert error.column >= 1
