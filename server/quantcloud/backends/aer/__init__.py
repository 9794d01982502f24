"""`aer_simulator` and `aer_gpu_simulator`: Qiskit Aer."""
