"""The process of a contestant: runs one function many times and reports the time of each run.

It reads a JSON array from standard input: a name in `KINDS` and its arguments. Then it reads
numbers, and answers each number N with the durations of N runs, in seconds.
"""

# ruff: noqa: PLC0415 - a contestant imports what it runs and nothing else

import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.programs import sweeps
from benchmarks.programs.sweeps import Once
from benchmarks.workloads import Gate


def executor(backend: str, method: str, qasm: str, shots: int) -> Once:
    """Parse, run and count as a worker of the service does. Takes a seed; returns an `Outcome`."""
    from quantcloud.backends.base import installed_backends
    from quantcloud.circuits import expanded, with_measurements
    from quantcloud.domain.execution import Execution
    from quantcloud.openqasm import parse

    runs = installed_backends()[backend].executor()

    def once(seed: int) -> object:
        circuit = expanded(with_measurements(parse(qasm)))
        return runs.run(circuit, Execution("job", backend, method, qasm, shots, seed))

    return once


def aer(qasm: str, shots: int, *, level: int | None = 2, **options: object) -> Once:
    """Run a circuit on Aer that was parsed before, and count.

    It was transpiled at optimization level `level`, by default Qiskit's own, or not if it is None.
    """
    from qiskit import qasm2, transpile
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(**options)
    legacy = qasm2.LEGACY_CUSTOM_INSTRUCTIONS
    circuit = qasm2.loads(qasm, custom_instructions=legacy, include_path=())
    ready = circuit if level is None else transpile(circuit, simulator, optimization_level=level)

    def once(seed: int) -> object:
        return simulator.run(ready, shots=shots, seed_simulator=seed).result().get_counts()

    return once


def qiskit(qasm: str, shots: int) -> Once:
    """Parse with Qiskit, run on Aer and count, as users do on their own machine."""
    run = qiskit_runner()
    return lambda seed: run(qasm, shots, seed_simulator=seed)


def qiskit_runner() -> Callable[..., dict[str, int]]:
    """Return a function that takes OpenQASM, shots and Aer's options, and returns counts.

    This is the fastest way that Qiskit and Aer offer: no transpilation, because these gates need
    none, and one thread, which is faster than several for a few qubits.
    """
    from qiskit import qasm2
    from qiskit_aer import AerSimulator

    simulator = AerSimulator(max_parallel_threads=1)
    legacy = qasm2.LEGACY_CUSTOM_INSTRUCTIONS

    def run(qasm: str, shots: int, **options: int) -> dict[str, int]:
        circuit = qasm2.loads(qasm, custom_instructions=legacy, include_path=())
        return simulator.run(circuit, shots=shots, **options).result().get_counts()

    return run


def qsim(num_qubits: int, gates: Sequence[Sequence], shots: int, **options: int) -> Once:
    """Simulate a Cirq circuit that was built before on qsim and sample it, without counts."""
    import cirq
    from qsimcirq import QSimOptions, QSimSimulator

    fixed = {"h": cirq.H, "x": cirq.X, "s": cirq.S, "t": cirq.T, "sx": cirq.X**0.5,
             "cx": cirq.CNOT, "cz": cirq.CZ, "swap": cirq.SWAP}  # fmt: skip
    rotations = {"rx": cirq.rx, "ry": cirq.ry, "rz": cirq.rz}
    line = cirq.LineQubit.range(num_qubits)
    circuit = cirq.Circuit()
    for name, qubits, angles in (Gate(*gate) for gate in gates):
        gate = rotations[name](*angles) if angles else fixed[name]
        circuit.append(gate(*[line[qubit] for qubit in qubits]))
    circuit.append(cirq.measure(*line, key="c"))
    simulator = QSimSimulator(QSimOptions(**options), seed=1)

    def once(_: int) -> object:
        return simulator.run(circuit, repetitions=shots)

    return once


def lightning(num_qubits: int, gates: Sequence[Sequence], shots: int) -> Once:
    """Simulate a PennyLane script that was built before on lightning.qubit and sample it."""
    import pennylane as qml
    from pennylane.tape import QuantumScript

    fixed = {"h": qml.Hadamard, "x": qml.X, "s": qml.S, "t": qml.T, "sx": qml.SX,
             "cx": qml.CNOT, "cz": qml.CZ, "swap": qml.SWAP}  # fmt: skip
    rotations = {"rx": qml.RX, "ry": qml.RY, "rz": qml.RZ}
    made = [
        rotations[name](*angles, wires=qubits) if angles else fixed[name](wires=qubits)
        for name, qubits, angles in (Gate(*gate) for gate in gates)
    ]
    script = QuantumScript(made, [qml.sample()], shots=shots)
    device = qml.device("lightning.qubit", wires=num_qubits)

    def once(_: int) -> object:
        return device.execute(script)

    return once


def stim(num_qubits: int, shots: int) -> Once:
    """Sample a GHZ state that was built before on Stim, without counts."""
    import stim as simulator

    circuit = simulator.Circuit()
    circuit.append("H", [0])
    for qubit in range(num_qubits - 1):
        circuit.append("CX", [qubit, qubit + 1])
    circuit.append("M", range(num_qubits))

    def once(seed: int) -> object:
        return circuit.compile_sampler(seed=seed).sample(shots)

    return once


def many_outcomes(grpc: str, http: str, token: str, outcomes: int) -> Once:
    """Run a circuit with `outcomes` distinct outcomes, and fetch the result in all ways."""
    import grpc as library
    import httpx

    from benchmarks.workloads import Gate, measured
    from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

    channel = library.insecure_channel(grpc, options=[("grpc.max_receive_message_length", -1)])
    metadata = (("authorization", f"Bearer {token}"),)
    submit = circuit_pb2_grpc.CircuitServiceStub(channel).RunCircuit
    jobs = job_pb2_grpc.JobServiceStub(channel)
    rest = httpx.Client(base_url=http, headers=dict(metadata), timeout=60)
    # With so many possible outcomes, it is unlikely that one occurs twice.
    width = (outcomes**2).bit_length() + 8
    qasm = measured(width, [Gate("h", (qubit,)) for qubit in range(width)])

    def once(_: int) -> object:
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, shots=outcomes)
        job = submit(request, metadata=metadata).job_id
        watch = job_pb2.WatchJobRequest(id=job, with_result=True)
        *_, last = jobs.WatchJob(watch, metadata=metadata, timeout=60)
        counts = dict(last.result.counts)
        if len(counts) != outcomes:
            raise AssertionError(f"{len(counts)} outcomes: {last.job}")
        fetched = jobs.GetJobResult(job_pb2.GetJobResultRequest(id=job), metadata=metadata)
        over_rest = rest.get(f"/v1/jobs/{job}/result").raise_for_status().json()
        event = ""
        with rest.stream("GET", f"/v1/jobs/{job}/events?with_result=true") as response:
            for line in response.iter_lines():
                event = line if line.startswith("data:") else event
        sent = json.loads(event.removeprefix("data:"))["result"]
        for result in (fetched.counts, over_rest["counts"], sent["counts"]):
            if dict(result) != counts:
                raise AssertionError("a result is not complete")
        return job

    return once


KINDS: Mapping[str, Callable[..., Once]] = {
    maker.__name__: maker
    for maker in (
        *(executor, aer, qiskit, qsim, lightning, stim, many_outcomes),
        *(sweeps.executor_sweep, sweeps.aer_binds, sweeps.qsim_sweep, sweeps.qnode),
    )
}


def main() -> None:
    """Serve on standard input and output until the input ends."""
    # Output of libraries goes to standard error, so that it does not mix with the answers.
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        kind, arguments = json.loads(sys.stdin.readline())
        once = KINDS[kind](**arguments)
        seed = 0
        for line in sys.stdin:
            durations = []
            for _ in range(int(line)):
                seed += 1
                began = time.perf_counter()
                once(seed)
                durations.append(time.perf_counter() - began)
            answers.write(json.dumps(durations) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
