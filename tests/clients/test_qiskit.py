"""Backends and jobs of `quantcloud.qiskit`, on a real server."""

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, transpile
from qiskit.circuit import Clbit, Gate, Parameter, Qubit
from qiskit.circuit.library import QFTGate
from qiskit.primitives import BackendSamplerV2
from qiskit.providers import JobStatus
from qiskit.transpiler import generate_preset_pass_manager

from quantcloud import Client
from quantcloud.client import CircuitError, InvalidRequest, JobCancelled
from quantcloud.qiskit import EstimatorV2, Provider, SamplerV2
from support.circuits import slow

pytestmark = pytest.mark.usefixtures("configured")


def test_a_backend_is_one_of_qiskits():
    provider = Provider()
    backend = provider.backend("aer_simulator")
    assert backend in provider.backends()
    assert provider.get_backend("aer_simulator") is backend
    assert backend.num_qubits >= 25
    assert {"cx", "u", "measure", "if_else", "c3sx"} <= {*backend.operation_names}
    with pytest.raises(ValueError, match="there is no backend 'nope'; there are aer"):
        provider.backend("nope")
    manager = generate_preset_pass_manager(optimization_level=1, backend=backend)
    circuit = manager.run(QFTGate(3).definition)
    assert circuit.num_qubits == 3
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure_all()
    found = BackendSamplerV2(backend=backend).run([transpile(bell, backend)]).result()
    assert {*found[0].data.meas.get_counts()} == {"00", "11"}


def test_a_job_is_found_by_its_id():
    circuits = []
    for number in range(3):
        circuit = QuantumCircuit(2, name=f"n{number}", metadata={"number": number})
        if number:
            circuit.x(number - 1)
        circuit.measure_all()
        circuits.append(circuit)
    provider = Provider()
    backend = provider.backend("local_simulator")
    job = backend.run(circuits, shots=11, seed_simulator=1)
    first = job.result(timeout=60)
    assert [first.get_counts(place) for place in range(3)] == [{"00": 11}, {"01": 11}, {"10": 11}]
    assert (job.status(), job.done(), job.backend()) == (JobStatus.DONE, True, backend)
    again = provider.job(job.job_id())
    assert again.result().get_counts("n2") == {"10": 11}
    assert again.result().results[1].header["metadata"] == {"number": 1}
    assert backend.retrieve_job(job.job_id()).backend() is backend


def test_a_job_is_cancelled():
    client = Client()
    job = SamplerV2(backend="aer_simulator").run([QuantumCircuit.from_qasm_str(slow())])
    assert not job.in_final_state()
    job.cancel()
    assert job.cancelled()
    with pytest.raises(JobCancelled):
        job.result()
    assert client.job(job.job_id()).status == "cancelled"


def test_errors_say_what_is_wrong():
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("a"), 0)
    backend = Provider().backend("local_simulator")
    with pytest.raises(ValueError, match="assign values to a"):
        backend.run(circuit)
    with pytest.raises(TypeError, match="is given str"):
        backend.run("OPENQASM 2.0;")
    measured = QuantumCircuit(1, 1)
    measured.measure(0, 0)
    with pytest.raises(ValueError, match="shots"):
        SamplerV2().run([measured], shots=0)
    with pytest.raises(TypeError, match="did you mean 'shots'"):
        backend.run(QuantumCircuit(1), shot=3)
    with pytest.raises(InvalidRequest) as wrong:
        SamplerV2(backend="nope").run([measured])
    assert wrong.value.field == "circuits[0].backend"
    with pytest.raises(InvalidRequest) as wrong:
        backend.run(QuantumCircuit(1), seed="one")
    assert wrong.value.field == "seed"
    circuit = QuantumCircuit(1)
    circuit.append(Gate("nobody_knows", 1, []), [0])
    with pytest.raises(ValueError, match=r'no form of the circuit: .* "nobody_knows"'):
        backend.run(circuit)
    assert not backend.run([]).result().results
    bits = [Clbit(), Clbit()]
    shared = QuantumCircuit(
        [Qubit()], bits, ClassicalRegister(bits=bits), ClassicalRegister(bits=bits)
    )
    with pytest.raises(ValueError, match="registers in this circuit overlap"):
        backend.run(shared)
    circuit = QuantumCircuit(1)
    circuit.rx(abs(Parameter("a")), 0)
    with pytest.raises(CircuitError, match="'abs' is no function"):
        EstimatorV2().run([(circuit, "Z", [1])])
