"""`cirq_simulator`: Google's qsim and Cirq."""
