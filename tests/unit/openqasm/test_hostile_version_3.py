"""Hostile programs of OpenQASM 3: short texts that would take endless time, memory or stack.

No test measures time: without the limits, the tests would not end.
"""

import random
import string

import pytest

from quantcloud.circuits import analyse, expanded, with_measurements
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse, work_bound
from quantcloud.openqasm.source import UNBOUNDED
from unit.openqasm.sources import TOKENS, VALID_3, VALID_CONTROL

pytestmark = pytest.mark.slow

HEADER = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; '
# A smaller limit than that of the server, so that tests are quick.
MOST = 100_000
LIMIT = f"{MOST:,} operations"


def chained(head: str, step: str, depth: int) -> str:
    """Return definitions of which each uses the one before."""
    return head + "".join(step.format(new=i + 1, old=i) for i in range(depth))


REFUSED = {
    "a loop of a thousand million": ("for int i in [0:1000000000] { }", LIMIT),
    "loops in loops": (
        "for int a in [0:9999] for int b in [0:9999] for int d in [0:9999] x q[0];", LIMIT,
    ),
    "an endless loop": ("while (true) { x q[0]; }", LIMIT),
    "an endless empty loop": ("while (1 == 1) { }", LIMIT),
    "a loop that goes back and forth": ("int i = 0; while (i < 9) { i += 1; i -= 1; }", LIMIT),
    "subroutines that double": (
        chained("def f0(qubit a) { x a; } ", "def f{new}(qubit a) {{ f{old}(a); f{old}(a); }} ", 35)
        + "f35(q[0]);",
        LIMIT,
    ),
    "deep subroutines": (
        chained("def f0(qubit a) { x a; } ", "def f{new}(qubit a) {{ f{old}(a); }} ", 5000)
        + "f5000(q[0]);",
        "more than 40 deep",
    ),
    "subroutines in blocks": (
        chained(
            "def f0(qubit a) { x a; } ",
            "def f{new}(qubit a) {{ if (true) {{ if (true) {{ f{old}(a); }} }} }} ",
            39,
        )
        + "f39(q[0]);",
        "more than 120 deep",
    ),
    "recursion": ("def f(qubit a) { f(a); } f(q[0]);", "calls itself"),
    "mutual recursion": ("def f() { g(); } def g() { f(); } f();", "calls itself"),
    "a huge power": ("pow(1000000000000) @ h q[0];", "more than 100,000 gates"),
    "powers of powers": ("pow(999) @ pow(999) @ pow(999) @ h q[0];", "more than 100,000 gates"),
    "ten thousand controls": ("ctrl(9000) @ x q[0];", "more than 100,000 gates"),
    "many controls of many gates": (
        "gate g a { " + "h a; t a; " * 500 + "} ctrl(60) @ g q[0], q[1];", "100,000 gates",
    ),
    "controls without end": ("ctrl(99999999999999999999) @ x q[0];", "100,000 gates"),
    "modifiers of a bomb": (
        chained("gate g0 a { x a; } ", "gate g{new} a {{ g{old} a; g{old} a; }} ", 40)
        + "inv @ g40 q[0];",
        "100,000 gates",
    ),
    "modifiers of nothing": (
        chained("gate g0 a { } ", "gate g{new} a {{ g{old} a; g{old} a; }} ", 40)
        + "inv @ g40 q[0];",
        "100,000 gates",
    ),
    "angles that double": (
        chained("gate g0(t) a { rx(t) a; } ", "gate g{new}(t) a {{ g{old}(t + t) a; }} ", 40)
        + "gate f(t) a { inv @ g40(t) a; } f(1) q[0];",
        "too long expressions",
    ),
    "a gate with a long loop": ("gate g a { for int i in [0:9999999] { x a; } }", LIMIT),
    "deep blocks": ("if (true) { " * 5000, "more than 50 deep"),
    "deep blocks of one statement": ("if (c[0]) " * 5000 + "x q[0];", "more than 50 deep"),
    "deep else": ("if (c[0]) x q[0]; else " * 5000 + "x q[0];", "more than 50 deep"),
    "deep brackets": ("rx(" + "(" * 5000 + "1" + ")" * 5000 + ") q[0];", "nested brackets"),
    "deep indices": ("x q[" + "c[" * 5000, "nested brackets"),
    "deep calls": ("rx(" + "sin(" * 5000, "nested brackets"),
    "deep sets": ("x q[{" + "c[{" * 5000, "nested brackets"),
    "a long sum of measurements": ("int k = " + "c[0] + " * 5000 + "1;", "too long"),
    "a large number": ("int k = " + "9" * 5000 + ";", "too large"),
    "a large power": ("const int k = 9 ** 9 ** 9;", "too large"),
    "a large shift": ("int k = 1 << 1000000000;", "out of range"),
    "large registers by expressions": ("qubit[9999 * 9999] r;", "more than 10,000 qubits"),
    "many variables of a run": (
        "bit m = measure q[0]; for int i in [0:4999] { int[64] k = m; }", "100,000 bits",
    ),
    "a range without end": ("let a = q[0:99999999999999999999];", "out of range"),
    "the same alias again and again": (
        chained("let a0 = q[0:0]; ", "let a{new} = a{old} ++ a{old}; ", 40), "differ",
    ),
}  # fmt: skip

ACCEPTED = {
    "twenty thousand rounds": "for int i in [0:19999] { x q[i % 3]; }",
    "a long sum": "rx(" + "1 + " * 50_000 + "1) q[0];",
    "a hundred thousand signs": "rx(" + "-" * 100_000 + "1) q[0];",
    "a chain of powers": "rx(1" + " ** 1" * 50_000 + ") q[0];",
    "modifiers in a long row": "inv @ " * 500 + "s q[0];",
    "a thousand conditions": "c[0] = measure q[0]; " + "if (c != 1) { x q[0]; } " * 1000,
    "many names": "".join(f"const int a{i} = {i}; " for i in range(5000)) + "x q[a2];",
    "many cases": "switch (3) { " + "".join(f"case {i} {{ x q[0]; }} " for i in range(5000)) + "}",
    "a wide control": "qubit[40] r; ctrl(39) @ x r[0], "
    + ", ".join(f"r[{i}]" for i in range(1, 40))
    + ";",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_program_is_refused(name: str, monkeypatch: pytest.MonkeyPatch):
    statements, part = REFUSED[name]
    if part == LIMIT:
        monkeypatch.setattr("quantcloud.openqasm.builder.MAX_OPERATIONS", MOST)
    with pytest.raises(CircuitError) as caught:
        parse(HEADER + statements)
    assert part in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_extreme_program_is_read(name: str):
    circuit = parse(HEADER + ACCEPTED[name])
    analyse(circuit)
    expanded(with_measurements(circuit))


@pytest.mark.parametrize(
    "statement",
    [
        "for int i in [0:999999] x q[0];",
        "while (c[0] == 0) { }",
        "def f() { }",
        "ctrl(9) @ x q[0];",
        "pow(9) @ x q[0];",
        "const int n = 9;",
        "qubit[99 * 99] r;",
        "qubit[1_0000] r;",
        "let a = q;",
        "delay[1ns];",
    ],
)
def test_what_may_expand_has_no_bound(statement: str):
    assert work_bound(HEADER + statement) == UNBOUNDED


def test_mutated_programs_give_a_circuit_or_an_error():
    rng = random.Random(5)
    for _ in range(400):
        text = rng.choice((VALID_3, VALID_CONTROL))
        for _ in range(rng.randint(1, 5)):
            start = rng.randint(0, len(text))
            end = min(len(text), start + rng.randint(0, 12))
            insert = rng.choice((
                "", rng.choice(TOKENS), rng.choice(string.printable), text[end : end + 20],
            ))  # fmt: skip
            text = text[:start] + insert + text[end:]
        try:
            circuit = parse(text)
        except CircuitError as error:
            assert error.message.isascii()
            continue
        analyse(circuit)
