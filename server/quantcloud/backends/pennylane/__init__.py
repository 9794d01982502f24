"""`pennylane_simulator`: Xanadu's lightning.qubit."""
