// The example circuits.

/** @typedef {{name: string, qasm: string, parameters?: string, observables?: string}} Example */

const BELL = `OPENQASM 2.0;
include "qelib1.inc";

// Two qubits that always agree.
qreg q[2];
creg c[2];

h q[0];
cx q[0], q[1];
measure q -> c;
`;

const GHZ = `OPENQASM 3.0;
include "stdgates.inc";

// Five qubits, all 0 or all 1.
qubit[5] q;
bit[5] c;

h q[0];
for int i in [0:3] {
  cx q[i], q[i + 1];
}
c = measure q;
`;

const QFT = `OPENQASM 2.0;
include "qelib1.inc";

// The quantum Fourier transform of |0101>, and back: the counts show 0101.
qreg q[4];
creg c[4];

x q[0];
x q[2];
barrier q;

h q[3];
cp(pi/2) q[2], q[3];
h q[2];
cp(pi/4) q[1], q[3];
cp(pi/2) q[1], q[2];
h q[1];
cp(pi/8) q[0], q[3];
cp(pi/4) q[0], q[2];
cp(pi/2) q[0], q[1];
h q[0];
barrier q;

h q[0];
cp(-pi/2) q[0], q[1];
cp(-pi/4) q[0], q[2];
cp(-pi/8) q[0], q[3];
h q[1];
cp(-pi/2) q[1], q[2];
cp(-pi/4) q[1], q[3];
h q[2];
cp(-pi/2) q[2], q[3];
h q[3];
measure q -> c;
`;

const TELEPORTATION = `OPENQASM 3.0;
include "stdgates.inc";

// Moves the state of q[0] to q[2]. out is 1 in three quarters of the shots.
qubit[3] q;
bit a;
bit b;
bit out;

ry(2 * pi / 3) q[0];
h q[1];
cx q[1], q[2];
cx q[0], q[1];
h q[0];
a = measure q[0];
b = measure q[1];
if (b == 1) x q[2];
if (a == 1) z q[2];
out = measure q[2];
`;

const GROVER = `OPENQASM 2.0;
include "qelib1.inc";

// Searches for 101 among eight items, in two rounds.
gate oracle a, b, c { x b; h c; ccx a, b, c; h c; x b; }
gate diffusion a, b, c {
  h a; h b; h c;
  x a; x b; x c;
  h c; ccx a, b, c; h c;
  x a; x b; x c;
  h a; h b; h c;
}
qreg q[3];
creg c[3];

h q;
oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];
oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];
measure q -> c;
`;

const ANSATZ = `OPENQASM 3.0;
include "stdgates.inc";

// An ansatz for the ground state of hydrogen, with one angle.
input float[64] theta;
qubit[2] q;

x q[0];
ry(theta) q[1];
cx q[1], q[0];
`;

/** @type {Example[]} */
export const EXAMPLES = [
  {name: "Bell pair", qasm: BELL},
  {name: "GHZ state", qasm: GHZ},
  {name: "Fourier transform", qasm: QFT},
  {name: "Teleportation", qasm: TELEPORTATION},
  {name: "Grover's search", qasm: GROVER},
  {
    name: "VQE ansatz", qasm: ANSATZ,
    parameters: "theta = -pi : pi : 41",
    observables: "-1.0524 II\n0.3979 IZ\n-0.3979 ZI\n-0.0113 ZZ\n0.1809 XX",
  },
];
