"""Valid programs, their words, and random sources made of them."""

import string

from hypothesis import strategies as st

VALID_2 = """OPENQASM 2.0;
include "qelib1.inc";
// comment
qreg q[3];
qreg r[2];
creg c[3];
gate g(x,y) a,b { rz(x*sin(y)) a; barrier a,b; cx a,b; }
opaque o(x) a;
h q;
g(pi/2,-0.25e-3) q[0],r[1]; if(c==3) u3(1,2,(3+4)^2) q[2];
barrier q,r[0];
reset r;
rx(1.5) q[0];rx(1.5) q[0];measure q[0] -> c[1];
measure q -> c;
"""


VALID_3 = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
gate g(a) p, r {
  gphase(a/2);
  cx p, r;
  U(a, -pi, tau/4) r;
}
h q[0];
g(0.5) q[0], q[1];
if (c[0]) {
  x q[0];
  c[1] = measure q[1];
} else { y q[0]; }
ctrl @ x q[0], q[1];
if (c == 2) { inv @ s q[0]; }
barrier q[0], q[1];
c = measure q;
"""


VALID_CONTROL = """OPENQASM 3.1;
include "stdgates.inc";
const int[32] n = 2;
qubit[n + 1] q;
bit[3] c;
uint[4] k = 0;
gate g(\u03b8) a, b { for int i in [1:2] { rz(\u03b8 * i / 3) a; } ctrl @ gphase(\u03b8) b; }
def flip(qubit a, int[8] times) -> bit { for int i in [1:times] x a; return measure a; }
let pair = q[0:1];
for uint i in {0, 2} { h q[i]; negctrl(2) @ pow(1/2) @ inv @ x q[0], q[1], q[2]; }
g(1/5) pair[0], pair[1];
while (k < 3) { c[0] = measure q[0]; if (c[0] && !(c == "101")) { k += 2; continue; } k = k + 1; }
switch (k) { case 3, 4 { x q[1]; } default { reset q[1]; } }
c[1] = flip(q[2], n);
if (k % 3 == 1 || c[1]) { delay[1.5us] q[1]; } else if (c[2] != 0) { y q[0]; }
"""


VALID_INPUTS = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta;
input angle phi; input array[float[64], 3] w;
qubit[2] q;
gate h2(a) p, r { rz(a * a / 2) p; ctrl @ rx(a) p, r; }
def turn(qubit a, float[64] x) { rx(x + 1) a; inv @ p(2 * x) a; }
float both = 2 * theta + sin(phi);
rz(both - 0.5) q[0];
for int i in [0:2] { rx(w[i] * pi) q[1]; }
h2(theta ** 2) q[0], q[1];
turn(q[0], w[-1]);
pow(2) @ ry(-phi) q[1];
"""


VALID = [VALID_2, VALID_3, VALID_CONTROL, VALID_INPUTS]


WORDS = """
OPENQASM 2.0 3.0 ; include "qelib1.inc" "stdgates.inc" qreg creg qubit bit q r c [ ] 0 1 2
( ) , -> == = ! h cx rx u3 U CX measure reset barrier if else gate opaque g { } pi sin ln
+ - * / ^ ** 1.5 1e9 0x1F $0 @ ctrl inv gphase // /* */ " ' # &
const int uint[4] bool float angle let for in while break continue switch case default def return
negctrl pow(2) delay[9ns] input array[float,2] theta w[0] : ++ && || << % ~ += "01" 1_0 k n
"""


TOKENS = [*WORDS.split(), "\n", "\u03c0", "\u0661", "\0", "\ud800"]


sources = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.printable, max_size=60),
    st.lists(st.sampled_from(TOKENS), max_size=60).map(" ".join),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_2 + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_3 + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_CONTROL + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_INPUTS + " ".join(soup)),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        insert = draw(
            st.one_of(st.just(""), st.sampled_from(TOKENS), st.text(max_size=3), st.just(text))
        )
        text = text[:start] + insert + text[end:]
    return text
