"""Programs of the kinds that the SDK's documentation shows."""

HEAD = "import math\nimport quantsdk as qs\n"

PROGRAMS = {
    "hello": """
import quantsdk as qs
print(f"QuantSDK {qs.__version__}")
circuit = qs.Circuit(1, name="hello")
circuit.h(0)
circuit.measure_all()
result = qs.run(circuit, shots=1000, seed=42)
print(result.counts)
print(result.summary())
""",
    "all four Bell states": """
from quantsdk import Circuit
circuits = []
for name, flips in (("phi+", []), ("phi-", ["z"]), ("psi+", ["x"]), ("psi-", ["x", "z"])):
    bell = Circuit(2, name=name)
    bell.h(0).cnot(0, 1)
    for flip in flips:
        if flip == "x":
            bell.x(1)
        else:
            bell.z(0)
    bell.measure_all()
    circuits.append(bell)
for bell in circuits:
    print(bell.draw())
""",
    "GHZ of any width": """
import quantsdk as qs

def ghz(n: int, name: str = "ghz") -> qs.Circuit:
    \"\"\"A GHZ state.\"\"\"
    qc = qs.Circuit(n, name=f"{name}_{n}")
    qc.h(0)
    for i in range(n - 1):
        qc.cx(i, i + 1)
    return qc.measure_all()

if __name__ == "__main__":
    for width in [5, 3, 4]:
        result = qs.run(ghz(width), shots=100 * width)
        print(width, result.most_likely)
""",
    "single-qubit gates": """
import math
import quantsdk as qs
c = qs.Circuit(4)
c.x(0).y(1).z(2).i(3).h(0).s(1).sdg(2).t(3).tdg(0).sx(1).sxdg(2)
c.rx(0, math.pi / 2).ry(1, -math.pi/4).rz(2, theta=math.pi ** 2).p(3, lam=0.1)
c.u1(0, 1e-7).u2(1, 0, math.pi).u3(2, theta=.1, phi=.2, lam=.3).r(3, math.tau, 1)
c.reset(0)
c.measure(3)
c.measure(1, 0)
c.measure(qubit=2, classical_bit=2)
""",
    "multi-qubit gates": """
import quantsdk as qs
c = qs.Circuit(3)
c.cx(0, 1).cnot(control=1, target=2).cz(2, 0).cy(0, 1).ch(1, 2).cs(0, 2).csdg(2, 1).csx(1, 0)
c.cp(0, 1, .5).cu1(0, 2, .25).cu3(0, 1, .1, .2, .3).crx(0, 1, 1).cry(1, 2, 2).crz(2, 0, 3)
c.swap(0, 1).iswap(1, 2).dcx(0, 2).ecr(2, 1)
c.rxx(0, 1, .5).ryy(1, 2, .5).rzz(qubit1=0, qubit2=2, theta=.5).rzx(2, 0, .5)
c.barrier().barrier([0, 2]).ccx(0, 1, 2).toffoli(2, 1, 0).cswap(0, 1, 2).fredkin(1, 2, 0)
c.ccz(0, 1, 2)
""",
    "inspection": """
import quantsdk as qs
circuit = qs.Circuit(3, name="ghz")
circuit.h(0).cx(0, 1).cx(1, 2).barrier().measure_all()
print(circuit, f"{circuit!r}", len(circuit), circuit.gates[0], circuit.gates[0].qubits)
assert_like = circuit.count_ops()["CX"]
other = circuit.copy()
angles = (circuit.num_qubits, circuit.depth, circuit.gate_count, circuit.num_measurements,
          len(circuit), assert_like, len(circuit.gates), circuit.gates[1].qubits[1])
for place, angle in enumerate(angles):
    other.rx(place % 3, angle)
if circuit.name == "ghz" and "H" in circuit.count_ops() and circuit.gates[-1].name == "MEASURE":
    other.z(0)
""",
    "teleportation": """
import math
import quantsdk as qs
qc = qs.Circuit(3, name="teleport")
qc.ry(0, math.pi / 3)
qc.h(1).cx(1, 2)
qc.cx(0, 1).h(0)
qc.cx(1, 2)
qc.cz(0, 2)
qc.measure(2)
result = qs.run(qc, 2000, "aer")
""",
    "Deutsch-Jozsa": """
import quantsdk as qs
def oracle(qc, n, kind):
    if kind == "constant":
        qc.x(n)
    elif kind == "balanced":
        for q in range(n):
            qc.cx(q, n)
    return None
def deutsch_jozsa(n, kind="balanced"):
    qc = qs.Circuit(n + 1)
    qc.x(n)
    for q in range(n + 1):
        qc.h(q)
    oracle(qc, n, kind)
    for q in range(n):
        qc.h(q)
    for q in range(n):
        qc.measure(q)
    return qc
results = {}
for kind in ("constant", "balanced"):
    results[kind] = deutsch_jozsa(3, kind=kind)
print({"a": 1}["a"], len(results), list(results.keys()), sorted(results))
""",
    "Bernstein-Vazirani": """
import quantsdk as qs
secret = "10110"
n = len(secret)
bv = qs.Circuit(n + 1, name="bv-" + secret)
bv.x(n)
[bv.h(q) for q in range(n + 1)]
for i, bit in enumerate(reversed(secret)):
    if bit == '1':
        bv.cx(i, n)
for q in range(n): bv.h(q)
for q in range(n):
    bv.measure(q, q)
hidden = int(secret, 2)
ones = secret.count("1")
bv.rz(0, hidden / 2 ** n).rz(1, sum(int(b) for b in secret)).rz(2, ones)
result = qs.run(bv, shots=1, backend="local")
""",
    "Simon": """
import quantsdk as qs
s = "110"
n = len(s)
qc = qs.Circuit(2 * n)
for q in range(n): qc.h(q)
for q in range(n): qc.cx(q, q + n)
j = 0
while s[j] != "1":
    j += 1
for i in range(n):
    if s[n - 1 - i] == "1":
        qc.cx(j, n + i)
qc.barrier()
for q in range(n): qc.h(q)
for q in range(n): qc.measure(q)
""",
    "Grover": """
import math
import quantsdk as qs
n, marked = 3, 5
def oracle(qc):
    for q in range(n):
        if not (marked >> q) & 1:
            qc.x(q)
    qc.ccz(0, 1, 2)
    for q in range(n):
        if not marked >> q & 1:
            qc.x(q)
def diffusion(qc):
    for q in range(n): qc.h(q).x(q)
    qc.h(n - 1).ccx(0, 1, n - 1).h(n - 1)
    for q in range(n): qc.x(q).h(q)
qc = qs.Circuit(n)
for q in range(n):
    qc.h(q)
for _ in range(math.floor(math.pi / 4 * math.sqrt(2 ** n))):
    oracle(qc)
    diffusion(qc)
qc.measure_all()
result = qs.run(qc, shots=1024)
expected = f"{marked:03b}"
""",
    "Fourier transform and its inverse": """
import quantsdk as qs
from math import pi as π
def qft(qc, n):
    if n == 0:
        return qc
    n -= 1
    qc.h(n)
    for q in range(n):
        qc.cp(q, n, π / 2 ** (n - q))
    return qft(qc, n)
def swaps(qc, n):
    for q in range(n // 2):
        qc.swap(q, n - q - 1)
def inverse(qc, n):
    for j in range(n - 1, -1, -1):
        for k in range(n - 1, j, -1):
            qc.cp(k, j, -π / 2 ** (k - j))
        qc.h(j)
qc = qs.Circuit(4)
qft(qc, 4); swaps(qc, 4)
qc.barrier()
inverse(qc, 4)
""",
    "phase estimation": """
import math, quantsdk as qs
t, phase = 4, 2 * math.pi * 0.3125
qpe = qs.Circuit(t + 1)
qpe.x(t)
for q in range(t):
    qpe.h(q)
repetitions = 1
for q in range(t):
    for _ in range(repetitions):
        qpe.cp(q, t, phase)
    repetitions *= 2
for j in range(t // 2):
    qpe.swap(j, t - 1 - j)
for j in range(t):
    for m in range(j):
        qpe.cp(m, j, -math.pi / float(2 ** (j - m)))
    qpe.h(j)
for q in range(t): qpe.measure(q)
""",
    "VQE": """
import math
import quantsdk as qs
def ansatz(params, layers=2, n=2):
    qc = qs.Circuit(n, name="ansatz")
    place = 0
    for layer in range(layers):
        for q in range(n):
            qc.ry(q, params[place])
            place += 1
        for q in range(n - 1):
            qc.cx(q, q + 1)
    return qc
best = None
for step in range(3):
    theta = [round(0.1 * (step + 1) * k, 4) for k in range(1, 5)]
    circuit = ansatz(theta).measure_all()
    energy = qs.run(circuit, shots=500, optimize_for="speed").counts
    if best is None or energy < best:
        best = energy
""",
    "QAOA": """
import quantsdk as qs
edges = [(0, 1), (1, 2), (2, 3), (3, 0)]
n = 1 + max(max(edge) for edge in edges)
def qaoa(gammas, betas):
    qc = qs.Circuit(n)
    for q in range(n): qc.h(q)
    for gamma, beta in zip(gammas, betas):
        for i, j in edges:
            qc.rzz(i, j, gamma)
        for q in range(n):
            qc.rx(q, 2 * beta)
    return qc.measure_all()
degrees = {}
for i, j in edges:
    degrees[i] = degrees.get(i, 0) + 1
    degrees[j] = degrees.get(j, 0) + 1
qc = qaoa([0.4, 0.8][:2], (0.7, 0.3))
for node, degree in degrees.items(): qc.rz(node, degree)
""",
    "a classifier": """
import quantsdk as qs
data = [[0.1, 0.9], [0.8, 0.2]]
labels = [0, 1]
weights = [0.5] * 4
def encode(x, w):
    qc = qs.Circuit(2)
    for q, value in enumerate(x): qc.ry(q, value * 3.14159)
    for q in (0, 1):
        qc.rz(q, w[2 * q]).ry(q, w[2 * q + 1])
    return qc.cx(0, 1)
circuits = [encode(x, weights) for x, y in zip(data, labels) if y == 1 or min(x) < 0.15]
shifted = list(weights); shifted[0] += 0.25; shifted[-1] -= abs(-0.5)
last = encode(tuple(data[0]), shifted).measure(0)
""",
    "OpenQASM and back": '''
import quantsdk as qs
text = """
OPENQASM 2.0;
include "qelib1.inc";
qreg q[2];
creg c[2];
h q[0];
u(0.1,pi/2,0) q[1];
cx q[0],q[1];
barrier q[0],q[1];
measure q[0] -> c[0];
measure q[1] -> c[1];
"""
first = qs.Circuit.from_openqasm(text)
again = qs.Circuit.from_openqasm(first.to_openqasm())
print(again.draw())
''',
    "the copy is the last": "import quantsdk\nc = quantsdk.Circuit(2)\nd = c.copy().x(1)\nc.h(0)\n",
    "an empty circuit is false": """
import quantsdk as qs
c = qs.Circuit(1)
d = c if c else qs.Circuit(2)
if not d: d.x(1)
else: d.h(0)
""",
    "loops with else": """
import quantsdk as qs
c = qs.Circuit(3)
for q in range(3):
    if q == 5: break
    if q == 1: continue
    c.x(q)
else:
    c.h(0)
k = 0
while True:
    k += 1
    if k > 2: break
else:
    c.z(0)
c.rx(k - 1, 1 if k == 2 else 2)
""",
    "what follows the run is not read": """
import quantsdk as qs
c = qs.Circuit(1).h(0)
qs.run(circuit=c, max_cost_usd=0.5, min_fidelity=0.9, shots=7)
import matplotlib.pyplot as plt
class Plot: pass
""",
}
