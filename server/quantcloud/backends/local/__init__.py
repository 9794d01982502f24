"""`local_simulator`: NumPy and Stim."""
