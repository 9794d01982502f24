OPENQASM 3.0;
include "stdgates.inc";

// Carries the state of q[0] to q[2]. The last bit is 1 in 3 of 4 shots.
qubit[3] q;
bit[2] sent;
bit received;

// The state to carry: cos(pi/3)|0> + sin(pi/3)|1>.
ry(2*pi/3) q[0];

// A pair that both sides share.
h q[1];
cx q[1], q[2];

// The sender measures, and the receiver corrects.
cx q[0], q[1];
h q[0];
sent[0] = measure q[0];
sent[1] = measure q[1];
if (sent[1]) x q[2];
if (sent[0]) z q[2];

received = measure q[2];
