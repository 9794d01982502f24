OPENQASM 3.0;
include "stdgates.inc";
// The angle of a rotation, for `quantcloud sweep` and `quantcloud estimate`.
input float[64] theta;
qubit[2] q;
ry(theta) q[0];
