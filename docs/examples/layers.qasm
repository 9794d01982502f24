OPENQASM 3.0;
include "stdgates.inc";
input array[float[64], 4] w;
qubit[2] q;
for int i in [0:1] { ry(w[i]) q[i]; }
cx q[0], q[1];
for int i in [0:1] { ry(w[i + 2]) q[i]; }
