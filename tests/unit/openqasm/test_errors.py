"""Errors in sources: their positions and messages."""

import pickle

import pytest

from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.version3.parser import Parser3

HEADER_2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\n'
HEADER_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\n'

# Statement, column (in line 5), and a part of the message.
VERSION_2 = [
    # gates
    ("cs q[0],q[1],q[2];", 1, "gate 'cs' takes 2 qubits, got 3"),
    ("rx q[0];", 1, "gate 'rx' takes 1 parameter, got 0"),
    ("u3(1,2) q[0];", 1, "gate 'u3' takes 3 parameters, got 2"),
    ("U(1,2) q[0];", 1, "gate 'U' takes 3 parameters, got 2"),
    ("cnot q[0],q[1];", 1, "gate 'cnot' is not defined; did you mean 'cx'?"),
    ("swapp q[0],q[1];", 1, "did you mean 'swap'?"),
    ("flurb q[0];", 1, "gate 'flurb' is not defined"),
    ("cx q[0],q[0];", 9, "gate 'cx' would act on q[0] twice"),
    ("cx q,q;", 6, "would act on q[0] twice"),
    ("cx q[1],q;", 9, "would act on q[1] twice"),
    ("qreg e[2]; cx q,e;", 17, "registers of 3 and 2 qubits cannot be combined"),
    # operands
    ("h q[3];", 5, "index 3 is out of range: register 'q' has 3 qubits, q[0] to q[2]"),
    ("measure q[0] -> c[7];", 19, "register 'c' has 3 classical bits, c[0] to c[2]"),
    ("h q[-1];", 5, "got a negative number"),
    ("h q[1.5];", 5, "expected an index, a whole number, got '1.5'"),
    ("h q[0:1];", 6, "slices"),
    ("h q[];", 5, "expected an index"),
    ("h r[0];", 3, "register 'r' is not declared"),
    ("qreg qubits[1]; h qubit[0];", 19, "did you mean 'qubits'?"),
    ("h c[0];", 3, "'c' is a classical register, but a qubit is needed"),
    ("measure q[0] -> q[0];", 17, "'q' is a quantum register, but a classical bit is needed"),
    ("h $0;", 3, "expected a qubit, got '$0'"),
    ("h;", 2, "expected a qubit, got ';'"),
    ("measure q -> c[0];", 1, "cannot measure 3 qubits into 1 classical bit"),
    ("measure q[0];", 13, "expected '->'"),
    ("c[0] = measure q[0];", 1, "write 'measure q -> c;'"),
    # the ends of statements
    ("h q[0]", 7, "missing ';'"),
    ("h q[0]\ncx q[0],q[1];", 7, "missing ';'"),
    ("h q[0],;", 8, "expected a qubit, got ';'"),
    ("measure q -> c\n// the end\n", 15, "missing ';'"),
    ("x q[0] -> c;", 8, "expected ';' at the end of the statement, got '->'"),
    ("h q [ 0", 8, "expected ']' after the index, got the end of the source"),
    # declarations
    ("qreg q[1];", 6, "'q' is already declared as a register"),
    ("gate g a {} gate g a {}", 18, "'g' is already declared as a gate"),
    ("gate foo a {} creg foo[1];", 20, "'foo' is already declared as a gate"),
    ("qreg pi[2];", 6, "'pi' is a reserved word"),
    ("gate CX a,b {}", 6, "'CX' is a reserved word"),
    ("x q[0]; gate x a {h a;}", 14, "'x' was used above as the standard gate"),
    ("gate mine a {x a;} gate x a {}", 25, "'x' was used above as the standard gate"),
    ("qreg r[10000];", 6, "more than 10,000 qubits"),
    ("creg r[99998];", 6, "more than 100,000 classical bits"),
    ("qreg r[-1];", 8, "got a negative number"),
    ("qreg r;", 7, "expected '[' and the size of register 'r', got ';'"),
    ("OPENQASM 2.0;", 1, "has to be the first statement"),
    # definitions
    ("gate g a {g a;}", 11, "gate 'g' calls itself"),
    ("gate g a {later a;} gate later a {}", 11, "gate 'later' is not defined"),
    ("gate g a {h b;}", 13, "'b' is not a qubit of this gate; it has 'a'"),
    ("gate g a {h a[0];}", 14, "'a' is one qubit here, it has no index"),
    ("gate g a,b {cx a,a;}", 13, "would act on the same qubit twice"),
    ("gate g a,b {cx a;}", 13, "gate 'cx' takes 2 qubits, got 1"),
    ("gate g(x) a {rx(y) a;}", 17, "'y' is not defined here; known are x, pi"),
    ("gate g a {measure a;}", 11, "got 'measure'"),
    ("gate g a {h a;", 15, "expected '}'"),
    ("gate g a,a {}", 10, "'a' stands twice"),
    ("gate g(a) a {}", 11, "'a' stands twice"),
    ("gate g(x a {}", 10, "expected ')' after the parameters, got 'a'"),
    ("gate g {}", 8, "expected a qubit, got '{'"),
    ("opaque m a; m q[0];", 13, "gate 'm' is declared opaque"),
    ("opaque delay(t) a; delay(-9) q[0];", 20, "a delay cannot be negative"),
    ("opaque delayed(t) a; delayed(9) q[0];", 22, "gate 'delayed' is declared opaque"),
    # conditions
    ("if(c=1) x q[0];", 5, "expected '=='"),
    ("if(c==-1) x q[0];", 7, "got a negative number"),
    ("if(c==1) barrier q;", 10, "expected a gate, 'measure' or 'reset'"),
    ("if(c==1) if(c==1) x q;", 10, "expected a gate, 'measure' or 'reset'"),
    ("if(q==1) x q;", 4, "'q' is a quantum register"),
    ("if(c==1) measure q->c;", 10, "measure bit by bit"),
    # files
    ('include "/etc/passwd";', 9, "cannot include '/etc/passwd'"),
    ('include "../qelib1.inc";', 9, "no file is ever read"),
    ('include "stdgates.inc";', 9, 'only "qelib1.inc" is known'),
    ("include qelib1.inc;", 9, "expected a file name in quotes"),
    # angles
    ("rx(1/0) q[0];", 4, "division by zero"),
    ("rx(1/(pi-pi)) q[0];", 4, "division by zero"),
    ("rx(0^-1) q[0];", 4, "division by zero"),
    ("rx(sqrt(-1)) q[0];", 4, "sqrt(-1) does not exist"),
    ("rx(ln(0)) q[0];", 4, "ln(0) does not exist"),
    ("rx(asin(2)) q[0];", 4, "asin(2) does not exist"),
    ("rx((-8)^(1/3)) q[0];", 4, "is not a real number"),
    ("rx(exp(1000)) q[0];", 4, "too large"),
    ("rx(1e999) q[0];", 4, "too large"),
    ("rx(1e308*10) q[0];", 4, "too large"),
    ("u3(0.1,1e308,1e308) q[0];", 8, "too large"),
    ("rx(nan) q[0];", 4, "'nan' is not defined here"),
    ("rx(inf) q[0];", 4, "'inf' is not defined here"),
    ("rx(2pi) q[0];", 5, "an operator is missing before 'pi'"),
    ("rx(1+) q[0];", 6, "expected a number or an expression, got ')'"),
    ("rx(1,) q[0];", 6, "expected a number or an expression, got ')'"),
    ("rx((1) q[0];", 8, "expected ')'"),
    ("rx(((1) q[0];", 9, "expected ')' for the '(' at line 5, column 4"),
    ("rx(sin 3) q[0];", 8, "expected '(' after the function 'sin'"),
    ("rx(1_0) q[0];", 5, "expected ')' or ','"),
    ("gate g(x) a {rx(1/x) a;} g(0) q[0];", 26, "in a call of gate 'g': division by zero"),
    # OpenQASM 3 under a header of 2.0
    ("qubit[2] r;", 1, "a word of OpenQASM 3"),
    # characters
    ("\0", 1, "U+0000"),
    ("h q[0]; \u0661", 9, "U+0661"),
    ("h q[\u0661];", 5, "U+0661"),
    ("h\u00a0q[0];", 2, "U+00A0"),
    ("\u0445 q[0];", 1, "U+0445"),
    ("rx(\u03c0) q[0];", 4, "U+03C0"),
    ("h q[0]; \ud800", 9, "U+D800"),
    ("h q[0]; \ufeff", 9, "U+FEFF"),
    ("/* never closed", 1, "this comment has no end"),
    ('include "abc', 9, 'got " without its closing "'),
]

VERSION_3 = [
    # what is refused by name
    ("input int[8] n;", 1, "inputs of type int ('n') are not supported"),
    ("input array[bit, 16] w;", 1, "inputs of type bit ('w') are not supported"),
    ("output bit b;", 1, "'output' declarations"),
    ("complex[float[64]] z;", 1, "complex numbers"),
    ("const float x = 2im;", 17, "complex numbers"),
    ("array[int[8], 4] a;", 1, "arrays"),
    ("stretch s;", 1, "stretchable durations"),
    ("extern f(int) -> int;", 1, "external functions"),
    ("box { x q[0]; }", 1, "'box' blocks"),
    ("cal { }", 1, "pulse-level blocks"),
    ("defcal x q { }", 1, "pulse-level definitions"),
    ("nop q;", 1, "'nop' instructions"),
    ("pragma x", 1, "pragmas"),
    ("#pragma x", 1, "pragmas"),
    ("@reversible x q;", 1, "annotations"),
    ("{ x q; }", 1, "free-standing blocks"),
    ("end;", 1, "'end' statements"),
    ("def f(mutable array[int, #dim=1] a) { }", 7, "references to arrays"),
    # declarations
    ("int x = 3; int x = 4;", 16, "'x' is already declared"),
    ("int q = 3;", 5, "'q' is already declared as a register"),
    ("const int n = 3; n = 4;", 18, "'n' is a constant"),
    ("const int n;", 12, "expected '=' and the value of the constant 'n'"),
    ("int[0] x;", 1, "'int' may have 1 to 64 bits here, got 0"),
    ("bool[2] x;", 1, "'bool' has no size"),
    ("qubit[-1] r;", 7, "the size of a register must not be negative, got -1"),
    ("qubit[c] r;", 7, "the size of a register must be a constant whole number"),
    ("bit d = measure q[0];bit d = measure q[0];", 26, "'d' is already declared"),
    ('bit[2] d = "000";', 8, "3 bits cannot become 2"),
    ('bit[2] d = "1";', 8, "1 bit cannot become 2"),
    ("rx(sin(1, 2)) q;", 4, "'sin' takes 1 argument, got 2"),
    ("gphase(1, 2);", 1, "'gphase' takes 1 parameter, got 2"),
    ("negctrl @ ccx q[0], q[1], q[2], q[0];", 33, "gate 'ccx' would act on q[0] twice"),
    ("int while = 3;", 5, "'while' is a reserved word"),
    ("const int n = c[0];", 11, "the constant 'n' cannot depend on a measurement"),
    ("float f = c[0];", 7, "a float that depends on a measurement is not supported"),
    ("x = 3;", 1, "'x' is not declared"),
    ("q = 3;", 1, "'q' is not a classical variable"),
    ("let a = 3;", 5, "an alias stands for qubits"),
    ("let a = q ++ q;", 11, "'++' joins qubits that differ"),
    # gates and definitions
    ("gate g a { if (c[0]) x a; }", 16, "'c' is not visible here"),
    ("gate g a { measure a; }", 12, "expected a gate or 'barrier' in the definition of 'g'"),
    ("gate g a { g a; }", 12, "gate 'g' calls itself"),
    ("qubit r; h r[0];", 14, "'r' is one qubit here, it has no index"),
    ("qubit r; c[0] = measure r[0];", 27, "'r' is one qubit here, it has no index"),
    ("gate g a { h a[0]; }", 16, "'a' is one qubit here, it has no index"),
    ("gate g(a) a { }", 11, "'a' stands twice"),
    ("phase(1) q; gate phase(x) a {}", 18, "'phase' was used above"),
    ("ctrl(2) @ x q[0],q[1];", 11, "gate 'ccx' takes 3 qubits, got 2"),
    ("ctrl @ rxx(1) q[0],q[1];", 8, "this gate takes 3 qubits, got 2"),
    ("ctrl @ x q[0],q[0];", 15, "would act on q[0] twice"),
    ("ctrl(0) @ x q[0];", 1, "a number of controls must be at least 1"),
    ("pow @ x q[0];", 5, "expected '(' and the exponent after 'pow'"),
    ("pow(1/2) @ iswap q[0],q[1];", 12, "a power that is no whole number is known only of"),
    ("pow(c[0]) @ x q[0];", 5, "the exponent of 'pow' must be a constant number"),
    # expressions
    ("rx(2^3) q;", 5, "write '**'"),
    ("rx(2pi) q;", 5, "an operator is missing before 'pi'"),
    ("rx(c[0]) q;", 4, "an angle that depends on a measurement is not supported"),
    ("rx(y) q;", 4, "'y' is not defined here; known are pi"),
    ("rx(f(1)) q;", 4, "'f' is no function or subroutine"),
    ("rx(sqrt(1, 2)) q;", 4, "'sqrt' takes 1 argument"),
    ("rx(1/0) q;", 5, "division by zero"),
    ("int n = 1 % 0;", 11, "division by zero"),
    ("int n = 1 << 100;", 11, "a shift by 100 is out of range"),
    ("h q[3];", 5, "index 3 is out of range: register 'q' has 3 qubits, q[0] to q[2]"),
    ("h q[0:5];", 5, "index 5 is out of range"),
    ("h q[{0, 4}];", 5, "index 4 is out of range"),
    ("h q[c[0]];", 5, "a qubit that depends on a measurement is not supported"),
    ("h q[0:0:2];", 5, "the step of a range must not be 0"),
    ("h r[0];", 3, "register 'r' is not declared"),
    ("h c[0];", 3, "'c' is a classical register, but a qubit is needed"),
    ("delay[100] q;", 1, "a delay needs a constant duration, such as 100ns"),
    ("delay[-1ns] q;", 1, "a delay cannot be negative"),
    # control flow
    ("for int i in [0:c[0]:3] { }", 1, "the step of a loop must be a constant"),
    ("for int i in 3 { }", 1, "a loop runs over a range"),
    ("for i in [0:3] { }", 5, "expected a type and a name after 'for'"),
    ("break;", 1, "'break' has to be in a loop"),
    ("def f() { break; } for int i in [0:3] { f(); }", 11, "'break' has to be in a loop"),
    ("return;", 1, "'return' has to be in a subroutine"),
    ("else x q;", 1, "this 'else' has no 'if'"),
    ("if (c == 1) { x q;", 19, "expected '}'"),
    ("if (c == 1) { qubit r; }", 21, "qubits are declared at the top level"),
    ("switch (c) { case c[0] { x q; } }", 1, "the labels of a 'switch' must be constants"),
    ("if (c[0]) { const float f = 0.5; } float g = 0.1; if (c[1]) g = 0.2;", 61, "only whole"),
    # subroutines
    ("def f() { f(); } f();", 11, "subroutine 'f' calls itself"),
    ("def f(qubit[2] a) { } f(q);", 23, "the parameter 'a' takes 2 qubits"),
    ("def f(int a) { } f(q[0]);", 18, "the parameter 'a' takes a classical value"),
    ("def f(int a) { } f();", 18, "subroutine 'f' takes 1 argument, got 0"),
    ("def f() { } c[0] = f();", 20, "this subroutine has no result"),
    ("def f() -> bit { return; } f();", 18, "this subroutine has to return a value"),
    ("def f() { h q; } f();", 13, "'q' is not visible here"),
    ("gate f a { } f(1);", 14, "expected the qubits of gate 'f'"),
    ("nothing(1);", 1, "'nothing' is no subroutine and no gate"),
    # measurements
    ("int n = measure q[0];", 5, "'n' is int; a measurement needs bits"),
    ("c = measure q[0];", 1, "cannot measure 1 qubit into 3 classical bits"),
    ("c[0] += measure q[0];", 9, "a measurement is assigned with '='"),
    ("c[0] = 1 + measure q[0];", 12, "a measurement has to be the whole value"),
    ('include "/etc/passwd";', 9, "cannot include"),
    # characters
    ("gate g(\u00bd) a { }", 8, "U+00BD"),
    ("qubit a\u0301;", 8, "U+0301"),
    ("qubit \u0661a;", 7, "U+0661"),
    ("h q[1_];", 6, "'_'"),
]

WHOLE = [
    ("", 1, 1, "the source is empty"),
    (" \n// nothing\n", 1, 1, "the source is empty"),
    ("OPENQASM 2.0;", 1, 1, "the circuit has no qubits"),
    ("creg c[2];", 1, 1, "the circuit has no qubits"),
    ("OPENQASM 4.0;\nqreg q[1];", 1, 10, "OpenQASM 4.0 is not known; 2.0 and 3.0 are"),
    ("OPENQASM;", 1, 9, "expected a version such as 2.0"),
    ("OPENQASM 2.0\nqreg q[1];", 1, 13, "missing ';'"),
    ("OPENQASM 3.0;\nqubit q;\nh $1;", 2, 7, "physical qubits ($0) together with declared qubits"),
    ("OPENQASM 3.0;\nh $10000;", 2, 3, "more than 10,000 qubits"),
    ("qreg q[1];\r\nh q[0];\r\nh q[1];", 3, 5, "out of range"),
    ("qreg q[1];\rh q[0];\rh q[1];", 3, 5, "out of range"),
    ("\ufeffqreg q[1];\nh q[1];", 2, 5, "out of range"),
    ("qreg q[1]; /* one\ntwo */ h q[1];", 2, 12, "out of range"),
    ("qreg q[1];\n// h q[0];\n\th q[1];", 3, 6, "out of range"),
]


def refusal(source: str) -> CircuitError:
    with pytest.raises(CircuitError) as caught:
        parse(source)
    return caught.value


def assert_refused(source: str, line: int, column: int, part: str) -> None:
    error = refusal(source)
    assert (error.line, error.column) == (line, column), error.message
    assert part in error.message
    assert f"line {line}, column {column}: " in error.message
    # Logs and UTF-8 get the message unchanged.
    assert error.message.isascii()
    assert error.message.isprintable()
    assert len(error.message) < 400


@pytest.mark.parametrize(("statement", "column", "part"), VERSION_2)
def test_a_statement_of_version_2_is_refused(statement: str, column: int, part: str):
    assert_refused(HEADER_2 + statement, 5, column, part)


@pytest.mark.parametrize(("statement", "column", "part"), VERSION_3)
def test_a_statement_of_version_3_is_refused(statement: str, column: int, part: str):
    assert_refused(HEADER_3 + statement, 5, column, part)


@pytest.mark.parametrize(("source", "line", "column", "part"), WHOLE)
def test_a_whole_source_is_refused(source: str, line: int, column: int, part: str):
    assert_refused(source, line, column, part)


def test_shortcuts_and_tokens_give_the_same_errors():
    for parser, header, table in ((Parser, HEADER_2, VERSION_2), (Parser3, HEADER_3, VERSION_3)):
        for statement, _, _ in table:
            # Shortcuts parse these statements, if they are enabled.
            before = "h q[0]; h q[0]; rz(pi/2) q[1]; cx q[0],q[1]; rx(1) q[0];"
            source = f"{header}{before} {statement}"
            with pytest.raises(CircuitError) as quick:
                parser(source).parse()
            with pytest.raises(CircuitError) as slow:
                parser(source, shortcuts=False).parse()
            assert quick.value.message == slow.value.message


def test_a_long_name_is_shortened_in_the_message():
    error = refusal(f"qreg q[1]; {'a' * 100_000} q[0];")
    assert "gate 'aaaa" in error.message
    assert len(error.message) < 200


def test_errors_survive_a_process_boundary():
    error = refusal(f"{HEADER_2}h q[3];")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - it was made a line above
    assert (copy.line, copy.column, copy.message) == (5, 5, error.message)
    assert copy.field == "qasm"
