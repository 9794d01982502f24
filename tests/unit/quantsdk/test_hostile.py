"""Programs that try to take too much, or to reach what is none of theirs."""

import json
import subprocess
import sys

import pytest

from quantcloud.quantsdk import read, values
from quantcloud.quantsdk.expressions import NotUnderstood
from unit.quantsdk.programs import HEAD

TOO_MUCH = {
    "an endless loop": ("while True:\n    pass", "steps"),
    "a print flood": ('while True: print("x" * 9999)', "steps"),
    "a list that grows": ("a = [1]\nwhile True: a.append(a)", "too long|steps"),
    "a list that doubles": ("a = [1]\nwhile True: a += a", "too long|steps"),
    "a list that grows under its loop": ("a = [1]\nfor x in a: a.append(x)", "too long|steps"),
    "a string that doubles": ("a = 'x'\nwhile True: a += a", "too long"),
    "a tuple that doubles": ("a = (1,)\nwhile True: a = a + a", "too long|steps"),
    "many lists": ("k = []\nwhile True: k.append([0] * 9999)", "steps"),
    "many strings": ("k = []\nwhile True: k.append('x' * 9999)", "steps"),
    "a dict that grows": ("d, i = {}, 0\nwhile True:\n    d[i] = i\n    i += 1", "too long|steps"),
    "a product": ("[0] * 10 ** 12", "too long"),
    "a product of products": ("[[0] * 1000] * 1000 * 1000", "too long"),
    "a string of strings": ("'ab' * 10 ** 12", "too long"),
    "a joined string": ("'x'.join(['y' * 1000] * 9999)", "too long"),
    "a tower of powers": ("9 ** 9 ** 9 ** 9", "too large"),
    "a square of squares": ("x = 2\nwhile True: x = x * x", "too large"),
    "a shift": ("1 << 10 ** 9", "too large"),
    "a literal in hexadecimal": ("x = 0x" + "f" * 9999, "too large"),
    "a literal of many digits": ("x = " + "9" * 9999, "digits"),
    "digits in a string": ("int('9' * 9999)", "at most 2048 digits"),
    "a rounded number": ("round(1, -10 ** 9)", "digits"),
    "a wide format": ("f'{1:99999999999}'", "width"),
    "a width that is computed": ("f'{1:{10 ** 9}}'", "width"),
    "many decimals": ("f'{1:.999999999}'", "width"),
    "a range as a list": ("list(range(10 ** 12))", "steps"),
    "a sum of a range": ("sum(range(10 ** 12))", "steps"),
    "the least of a range": ("min(range(10 ** 12))", "steps"),
    "a float in a range": ("0.5 in range(10 ** 12)", "look for"),
    "nested comprehensions": ("[[0 for j in range(9999)] for i in range(9999)]", "steps"),
    "a recursion": ("def f(n): return f(n + 1)\nf(0)", "50 functions"),
    "two that call each other": ("def f(): g()\ndef g(): f()\nf()", "50 functions"),
    "lists that hold each other twice": (
        "a = [1]\nfor i in range(18): a = [a, a]\nb = [x for x in a]\na == b", "steps"
    ),
    "a list in itself": ("a = []\na.append(a)\na == a", "nested"),
    "a list in itself as text": ("a = []\na.append(a)\nf'{a}'", "nested"),
    "sorting lists of lists": (
        "sorted([[[i] * 99 for j in range(99)] for i in range(99)])", "steps"
    ),
    "parentheses": ("(" * 500 + ")" * 500, "nested"),
    "minus signs": ("-" * 100_000 + "1", "nested"),
    "a long sum": ("x = " + "1 + " * 20_000 + "1", "nested"),
    "a long chain": ("c = qs.Circuit(1)\nc" + ".h(0)" * 20_000, "nested"),
    "calls of calls": ("f" + "()" * 20_000, "nested"),
    "subscripts of subscripts": ("x" + "[0]" * 20_000, "nested"),
    "a large circuit": ("qs.Circuit(10 ** 9)", "from 1 to 10000"),
    "a circuit without end": ("c = qs.Circuit(9)\nwhile True: c.h(0)", "steps"),
    "measurements without end": ("c = qs.Circuit(9999)\nwhile True: c.measure_all()", "steps"),
    "copies without end": ("c = qs.Circuit(999).measure_all()\nwhile True: c.copy()", "steps"),
    "a large OpenQASM": ("qs.Circuit.from_openqasm('qreg q[9999];' + 'h q;' * 9999)", "steps"),
    "a doubling OpenQASM": (
        (
            "t = 'gate g0 a { x a; } '\n"
            "for i in range(40): t += f'gate g{i + 1} a {{ g{i} a; g{i} a; }} '\n"
            "qs.Circuit.from_openqasm('qreg q[1]; ' + t + 'g40 q[0];')"
        ),
        "steps|operations",
    ),
}  # fmt: skip

NO_PYTHON = {
    "dunder of a tuple": "().__class__.__bases__[0].__subclasses__()",
    "dunder of a string": "''.__class__",
    "dunder of a class": "qs.Circuit.__init__.__globals__",
    "dunder of a circuit": "qs.Circuit(1).__dict__",
    "dunder of a function": "def f(): pass\nf.__globals__",
    "dunder of a built-in": "range.__self__",
    "dunder of a method": "[].append.__self__",
    "dunder of a module": "math.__loader__",
    "inside of the SDK": "qs.Circuit(1)._gates",
    "other modules of the SDK": "qs.cloud",
    "in an f-string": "x = 1\nf'{x.__class__}'",
    "in a format specification": "f'{1:{().__class__}}'",
    "str.format": "'{0.__class__}'.format(1)",
    "format with %": "'%99999999d' % 1",
    "by a wide letter": "__\uff43lass__",
    "builtins": "__builtins__",
    "getattr": "getattr(1, 'real')",
    "eval": "eval('1')",
    "exec": "exec('1')",
    "compile": "compile('1', '', 'eval')",
    "open": "open('/etc/passwd')",
    "input": "input()",
    "type": "type(1)",
    "__import__": "__import__('os')",
    "import os": "import os",
    "import a part": "import math.x",
    "import from os": "from os import system",
    "import all": "from math import *",
    "import a dunder": "from math import __loader__",
    "import from here": "from . import x",
    "numpy": "import numpy as np",
    "lambda": "(lambda: 1)()",
    "walrus": "(x := 1)",
    "star arguments": "print(*[1])",
    "keyword arguments": "print(**{})",
    "star target": "a, *b = [1, 2]",
    "star parameters": "def f(*a): pass",
    "keyword parameters": "def f(**a): pass",
    "keyword-only parameters": "def f(*, a): pass",
    "decorator": "@print\ndef f(): pass",
    "class": "class A: pass",
    "try": "try:\n    1\nexcept ValueError:\n    2",
    "raise": "raise ValueError",
    "with": "with open('x') as f: pass",
    "global": "global x",
    "nonlocal": "def f():\n    nonlocal x\nf()",
    "del": "x = 1\ndel x",
    "assert": "assert True",
    "match": "match 1:\n    case 1: pass",
    "async def": "async def f(): pass",
    "await": "await f",
    "yield": "def f(): yield 1\nf()",
    "set": "{1, 2}",
    "set comprehension": "{x for x in [1]}",
    "dict comprehension": "{x: x for x in [1]}",
    "dict of a dict": "{**{}}",
    "bytes": "b'x'",
    "ellipsis": "...",
    "complex": "1j",
    "attribute target": "qs.run = 1",
    "slice target": "a = [1]\na[:] = []",
    "matrix product": "1 @ 2",
    "foreign circuit": "qs.Circuit(1).to_qiskit()",
    "a NUL byte": "x = 1\0",
    "a surrogate": "x = '\ud800'",
    "no Python": "x = = 1",
    "tabs and spaces": "if 1:\n\tx = 1\n        y = 2",
}  # fmt: skip

WRONG = {
    "an undefined name": "x",
    "a division by nothing": "1 / 0",
    "a list that is too short": "[1][5]",
    "an unknown key": "{}['k']",
    "a string and a number": "1 + 'a'",
    "a call of a number": "1()",
    "values for names": "a, b = 1, 2, 3",
    "one value for names": "a, b = 1",
    "a root": "math.sqrt(-1)",
    "a root of a negative number": "(-8) ** 0.5",
    "return outside": "return 1",
    "break outside": "break",
    "continue in a function in a loop": "for i in [1]:\n    def f(): continue\n    f()",
    "too many arguments": "len(1, 2)",
    "too few arguments": "len()",
    "an argument twice": "qs.Circuit(1).x(0, qubit=0)",
    "an unknown argument": "qs.Circuit(1, width=2)",
    "no such qubit": "qs.Circuit(2).x(2)",
    "a negative qubit": "qs.Circuit(2).x(-1)",
    "half a qubit": "qs.Circuit(2).x(0.5)",
    "a qubit twice": "qs.Circuit(2).cx(1, 1)",
    "a qubit twice in a barrier": "qs.Circuit(2).barrier([0, 0])",
    "an angle that is no number": "qs.Circuit(1).rx(0, math.nan)",
    "an angle in words": "qs.Circuit(1).rx(0, 'pi')",
    "no such gate": "qs.Circuit(1).hadamard(0)",
    "no qubits": "qs.Circuit(0)",
    "a run of nothing": "qs.run(1)",
    "shots in words": "qs.run(qs.Circuit(1), shots='many')",
    "no shots": "qs.run(qs.Circuit(1), shots=0)",
    "an unknown setting": "qs.run(qs.Circuit(1), token='secret')",
    "a long name of a backend": "qs.run(qs.Circuit(1), backend='x' * 9999)",
    "OpenQASM that is none": "qs.Circuit.from_openqasm('h q[0];')",
    "OpenQASM with conditions": (
        "qs.Circuit.from_openqasm('qreg q[1]; creg c[1]; if(c==1) x q[0];')"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_takes_too_much_ends(name, monkeypatch):
    monkeypatch.setattr(values, "MAX_STEPS", 50_000)
    source, says = TOO_MUCH[name]
    with pytest.raises(NotUnderstood, match=says):
        read(HEAD + source)


@pytest.mark.parametrize("source", [*NO_PYTHON.values(), *WRONG.values()], ids=[*NO_PYTHON, *WRONG])
def test_what_is_refused(source):
    with pytest.raises(NotUnderstood) as caught:
        read(HEAD + source)
    error = caught.value
    assert error.reason == "CODE_NOT_UNDERSTOOD"
    assert error.line > HEAD.count("\n") or "\0" in source or "\ud800" in source
    assert 10 < len(error.message) < 400


QS = "import quantsdk as qs\n"


@pytest.mark.parametrize(
    ("source", "line", "column", "says"),
    [
        ("x = 1\ny = x + lamda", 2, 9, "'lamda' is not defined"),
        ("import numpy as np", 1, 1, "only quantsdk and math can be imported"),
        ("import quantsdk as qs\nqs.Circuit(2).h(0).hh(1)", 2, 20, "a circuit has no 'hh'; it has"),
        ("import quantsdk as qs\n(qs.Circuit(2)\n .h(0)\n .cx(0, 2)\n)", 4, 3, "from 0 to 1, is 2"),
        (QS + "qs.Circuit(1).h(1)", 2, 15, "qubit must be 0, is 1"),
        (QS + "qs.Circuit(1).rx(0, 'pi')", 2, 15, "a finite number, such as math.pi / 2, is 'pi'"),
        (QS + "qs.Circuit(1).rx(0, float('nan'))", 2, 15, "math.pi / 2, is nan"),
        (QS + "qs.Circuit(1).rx(0, [1])", 2, 15, "is a list"),
        (QS + "qs.run(qs.Circuit(1), shots='many')", 2, 4, "must be a whole number, is 'many'"),
        ("a, b = [1]", 1, 1, "1 value cannot go to 2 names"),
        ("len(1, 2)", 1, 1, "len(value) takes 1 argument, got 2"),
        ("é = 'é'; x", 1, 10, "'x' is not defined"),
        ("f = lambda: 1", 1, 5, "'lambda' cannot stand here; a name, a number"),
        ("try: pass\nexcept: pass", 1, 1, "'try' cannot stand here; an assignment, a call"),
        ("x = (1,\n     2", 1, 5, "was never closed"),
        ("", 1, 1, "quantsdk.Circuit(number_of_qubits) makes one"),
    ],
)  # fmt: skip
def test_an_error_says_where_and_what_would_be_right(source, line, column, says):
    with pytest.raises(NotUnderstood) as caught:
        read(source)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert error.message.startswith(f"code: line {line}, column {column}: ")
    assert says in error.message


# Everything that Python tells auditors of: files, sockets, processes, imports, code that is run.
AUDITED = """
import json, sys
from quantcloud.quantsdk import read, values
from quantcloud.quantsdk.expressions import NotUnderstood
values.MAX_STEPS = 2_000
sources, seen, watching = json.load(sys.stdin), [], False
def audit(event, arguments):
    if watching:
        seen.append([event, str(arguments[0])] if event in ("open", "import") else [event])
sys.addaudithook(audit)
def attempt(source):
    try:
        read(source)
    except NotUnderstood:
        pass
# What our own parser imports when it first has something to suggest.
attempt("import quantsdk as qs\\nqs.Circuit.from_openqasm('h q[0];')")
watching = True
for source in sources:
    attempt(source)
watching = False
print(json.dumps(sorted(map(list, set(map(tuple, seen))))))
"""


def test_a_program_reaches_nothing_outside():
    too_much = [source for source, _ in TOO_MUCH.values()]
    hostile = [*NO_PYTHON.values(), *WRONG.values(), *too_much]
    done = subprocess.run(
        [sys.executable, "-c", AUDITED], input=json.dumps([HEAD + each for each in hostile]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    # `compile` makes a syntax tree of a text. For that it looks up letters of names, and the line
    # of a mistake in a file of this name, which is not the program's.
    assert {tuple(event) for event in json.loads(done.stdout)} <= {
        ("compile",), ("import", "unicodedata"), ("open", "<unknown>"),
    }  # fmt: skip
