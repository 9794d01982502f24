"""What a user runs at home in place of a sweep: the fastest way that each library offers."""

# ruff: noqa: PLC0415 - a contestant imports what it runs and nothing else

from collections.abc import Callable, Sequence

Once = Callable[[int], object]


def aer_sweep(num_qubits: int, layers: int, points: int, shots: int) -> Once:
    """Bind the layers of ry and cx to random values on Aer, and count."""
    import numpy as np
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(max_parallel_threads=1)
    weights = ParameterVector("w", num_qubits * layers)
    circuit = QuantumCircuit(num_qubits)
    for layer in range(layers):
        for qubit in range(num_qubits):
            circuit.ry(weights[layer * num_qubits + qubit], qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    circuit.measure_all()

    def once(seed: int) -> object:
        values = np.random.default_rng(seed).uniform(0, 6, (len(weights), points))
        binds = [{weight: list(row) for weight, row in zip(weights, values, strict=True)}]
        job = simulator.run(circuit, parameter_binds=binds, shots=shots, seed_simulator=seed)
        return job.result().get_counts()

    return once


def qnode(num_qubits: int, layers: int, words: Sequence[str], *, gradient: bool) -> Once:
    """Compute expectation values of Pauli words on PennyLane's lightning.

    With `gradient`, of their sum, with its gradient by the adjoint method.
    """
    import pennylane as qml
    from pennylane import numpy as np

    device = qml.device("lightning.qubit", wires=num_qubits)
    terms = [qml.pauli.string_to_pauli_word(word[::-1]) for word in words]

    def circuit(weights):
        for layer in range(layers):
            for qubit in range(num_qubits):
                qml.RY(weights[layer * num_qubits + qubit], wires=qubit)
            for qubit in range(num_qubits - 1):
                qml.CNOT(wires=[qubit, qubit + 1])
        if gradient:
            return qml.expval(qml.Hamiltonian([1.0] * len(terms), terms))
        return [qml.expval(term) for term in terms]

    node = qml.QNode(circuit, device, diff_method="adjoint" if gradient else None)
    slope = qml.grad(node) if gradient else None

    def once(seed: int) -> object:
        weights = np.random.default_rng(seed).uniform(0, 6, num_qubits * layers)
        weights = np.array(weights, requires_grad=gradient)
        if slope is None:
            return node(weights)
        return slope(weights), slope.forward

    return once
