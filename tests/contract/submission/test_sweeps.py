"""Sweeps over gRPC: points, expectation values, gradients and packed shots, and what is refused."""

import math
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from support.api import Api
from support.circuits import BELL
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

ANGLE = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float[64] theta;\nqubit[2] q;\n'
TURN = f"{ANGLE}ry(theta) q[0];\ncx q[0], q[1];\n"
TWO = f"{ANGLE}input array[float[64], 2] w;\nry(theta) q[0];\nrx(w[0]) q[1];\nry(w[1]) q[1];\n"
LOOP = f"{ANGLE}bit c;\nh q[0];\nc = measure q[0];\nif (c) ry(theta) q[1];\n"
FIELDS: dict[str, Any] = {"gradient": True, "variances": True}


def values(*numbers: float) -> sweep_pb2.ParameterValues:
    return sweep_pb2.ParameterValues(values=numbers)


def observable(*terms: str, **fields: Any) -> sweep_pb2.Observable:
    return sweep_pb2.Observable(terms=[sweep_pb2.Term(sparse=each, **fields) for each in terms])


ZZ = observable("Z0 Z1")


def result(api: Api, qasm: str, **fields: Any) -> job_pb2.JobResult:
    *_, last = api.run_and_watch(qasm, **fields)
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    return last.result


def page(api: Api, job_id: str, **fields: int) -> job_pb2.JobResult:
    request = job_pb2.GetJobResultRequest(id=job_id, **fields)
    return api.jobs.GetJobResult(request, metadata=api.metadata)


def refusal(api: Api, qasm: str, **fields: Any) -> str:
    with pytest.raises(grpc.RpcError) as refused:
        api.run(qasm, **fields)
    assert isinstance(refused.value, grpc.Call)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    return refused.value.details() or ""


def test_the_same_observables_are_checked_with_each_circuit(ada: Api):
    same = [sweep_pb2.Observable(terms=[sweep_pb2.Term(pauli="ZZ", coefficient=0.5)])]
    wider = TURN.replace("qubit[2]", "qubit[3]")
    for _ in range(2):
        (point,) = result(ada, TURN, parameters={"theta": values(0)}, observables=same).sweep.points
        assert point.expectation_values == [0.5]
        problem = refusal(ada, wider, parameters={"theta": values(0)}, observables=same)
        assert problem.startswith("observables[0].terms[0].pauli: has 2 letters")


def test_each_point_has_its_counts(ada: Api):
    sweep = result(ada, TURN, parameters={"theta": values(0, math.pi)}, shots=50).sweep
    assert [dict(point.counts) for point in sweep.points] == [{"00": 50}, {"11": 50}]
    assert (sweep.points_total, sweep.points_done, sweep.point_offset) == (2, 2, 0)


def test_values_of_one_point_hold_for_all(ada: Api):
    given = {"theta": values(0.1, 0.2, 0.3), "w": values(0.0, math.pi)}
    sweep = result(ada, TWO, parameters=given, observables=[ZZ, observable("Z1")]).sweep
    found = [list(point.expectation_values) for point in sweep.points]
    assert found == [pytest.approx([-math.cos(t), -1]) for t in (0.1, 0.2, 0.3)]


def test_gradients_and_variances_are_those_of_the_cosine(ada: Api):
    points = (0.1, 0.7, 2.0)
    fields = {"parameters": {"theta": values(*points)}, "observables": [observable("Z0")]}
    answer = result(ada, TURN, **fields, **FIELDS)
    for point, theta in zip(answer.sweep.points, points, strict=True):
        assert list(point.expectation_values) == pytest.approx([math.cos(theta)])
        (gradient,) = point.gradients
        assert list(gradient.parameters["theta"].values) == pytest.approx([-math.sin(theta)])
        assert list(point.variances) == pytest.approx([math.sin(theta) ** 2])
        assert not point.standard_errors
        assert not point.counts
    assert not answer.counts


def test_zip_pairs_observables_with_points(ada: Api):
    sweep = result(
        ada, TURN, parameters={"theta": values(0.1, 0.2)}, pairing=sweep_pb2.Pairing.zip,
        observables=[observable("Z0"), observable("X0 X1")],
    ).sweep  # fmt: skip
    found = [list(point.expectation_values) for point in sweep.points]
    assert found == [pytest.approx([math.cos(0.1)]), pytest.approx([math.sin(0.2)])]


@pytest.mark.parametrize("fields", [{"shots": 400}, {"precision": 0.05}])
def test_sampled_values_have_standard_errors(ada: Api, fields):
    given = {"parameters": {"theta": values(1.0)}, "observables": [observable("Z0")]}
    (point,) = result(ada, TURN, **given, **fields).sweep.points
    ((value,), (error,)) = point.expectation_values, point.standard_errors
    assert 0 < error <= 0.051
    assert abs(value - math.cos(1.0)) < 5 * error


def test_values_that_cannot_be_exact_are_sampled(ada: Api):
    fields = {"observables": [observable("Z1")], "parameters": {"theta": values(math.pi)}}
    answer = result(ada, LOOP, **fields)
    (point,) = answer.sweep.points
    assert abs(point.expectation_values[0]) < 5 * point.standard_errors[0]
    assert ada.job(answer.job_id).shots == 1024


def test_packed_shots_are_whole_bytes(ada: Api):
    qasm = 'OPENQASM 3.0; include "stdgates.inc"; qubit[9] q; x q[8]; x q[0];'
    sweep = result(ada, qasm, packed=True, shots=3).sweep
    (register,) = sweep.registers
    assert (register.name, register.num_bits, register.data) == ("meas", 9, b"\x01\x01" * 3)
    (point,) = sweep.points
    assert not point.counts


def test_probabilities_are_exact(ada: Api):
    (point,) = result(
        ada, TURN, parameters={"theta": values(0.6)}, probabilities=True, shots=10
    ).sweep.points
    zero = math.cos(0.3) ** 2
    assert list(point.probabilities) == pytest.approx([zero, 0, 0, 1 - zero])
    assert sum(point.counts.values()) == 10


def test_another_job_has_no_sweep(ada: Api):
    answer = result(ada, BELL)
    assert not answer.HasField("sweep")
    circuit = ada.jobs.GetJobCircuit(
        job_pb2.GetJobCircuitRequest(id=answer.job_id), metadata=ada.metadata
    )
    assert not circuit.HasField("sweep")
    assert "sweep" not in ada.job(answer.job_id).metadata
    with pytest.raises(grpc.RpcError, match="point_offset: is only for a job with points"):
        page(ada, answer.job_id, point_offset=0)


def test_the_same_request_again_gives_the_same_points(ada: Api):
    fields = {
        "parameters": {"theta": values(0.1, 0.2), "w": values(1, 2)},
        "observables": [ZZ, sweep_pb2.Observable(terms=[{"projector": "01", "coefficient": -2.5}])],
        "shots": 100,
    }
    first = result(ada, TWO, **fields)
    stored = ada.jobs.GetJobCircuit(
        job_pb2.GetJobCircuitRequest(id=first.job_id), metadata=ada.metadata
    )
    again = {name.name: value for name, value in stored.sweep.ListFields()}
    second = result(
        ada,
        stored.qasm,
        shots=stored.shots,
        options=stored.options,
        backend=stored.backend,
        **again,
    )
    assert second.sweep == first.sweep


def test_a_batch_and_a_plan_may_have_sweeps(ada: Api):
    circuit = circuit_pb2.RunCircuitRequest(
        qasm=TURN, parameters={"theta": values(0.1, 0.2)}, observables=[ZZ]
    )
    plan = ada.circuits.PlanCircuit(circuit, metadata=ada.metadata)
    hundred = circuit_pb2.RunCircuitRequest(
        qasm=TURN, parameters={"theta": values(*[0.1] * 1000)}, observables=[ZZ]
    )
    longer = ada.circuits.PlanCircuit(hundred, metadata=ada.metadata)
    assert longer.predicted_seconds > 1.2 * plan.predicted_seconds
    batch = ada.circuits.RunCircuits(
        circuit_pb2.RunCircuitsRequest(circuits=[circuit] * 2), metadata=ada.metadata
    )
    for job in batch.jobs:
        assert len(ada.finish(job.job_id).result.sweep.points) == 2


def test_one_stream_runs_steps_one_after_the_other(ada: Api):
    request = circuit_pb2.RunStreamRequest(
        circuit=circuit_pb2.RunCircuitRequest(
            qasm=TURN, parameters={"theta": values(0.5)}, observables=[ZZ], gradient=True
        )
    )
    bad = circuit_pb2.RunStreamRequest(circuit=circuit_pb2.RunCircuitRequest(qasm=TURN))
    answers = [
        answer
        for message in ada.circuits.RunStream(iter([request, bad]), metadata=ada.metadata)
        for answer in message.answers
    ]
    (error,) = [answer.error for answer in answers if answer.HasField("error")]
    assert error.message == "parameters.theta: is missing; the circuit declares this input"
    last = [answer.event for answer in answers if answer.request == 1][-1]
    assert list(last.result.sweep.points[0].expectation_values) == pytest.approx([1.0])


def test_pages_have_at_most_a_mebibyte(ada: Api):
    points = 400
    given = {"theta": values(*[0.01 * n for n in range(points)])}
    qasm = TURN.replace("[2]", "[12]") + "".join(f"h q[{q}];" for q in range(12))
    job_id = ada.run(qasm, parameters=given, shots=1000)
    first = ada.finish(job_id).result
    assert 0.9 * (1 << 20) < first.sweep.ByteSize() <= (1 << 20) + 1000
    seen: list[Any] = []
    while len(seen) < points:
        answer = page(ada, job_id, point_offset=len(seen))
        assert answer.ByteSize() <= (1 << 20) + 2000
        assert answer.sweep.point_offset == len(seen)
        seen += answer.sweep.points
    assert all(sum(point.counts.values()) == 1000 for point in seen)
    assert list(page(ada, job_id, point_offset=7, point_limit=2).sweep.points) == seen[7:9]
    assert not page(ada, job_id, point_offset=points).sweep.points
    with pytest.raises(grpc.RpcError, match="point_offset: must be at most 400"):
        page(ada, job_id, point_offset=points + 1)


BIG = {"theta": values(*[0.1] * 10_000)}


@pytest.mark.parametrize(
    ("qasm", "fields", "message"),
    [
        (TURN, {}, "parameters.theta: is missing; the circuit declares this input"),
        (TURN, {"parameters": {"theta": values(1), "phi": values(1)}},
         "parameters.phi: is no input of the circuit; its inputs are theta"),
        (BELL, {"parameters": {"phi": values(1)}},
         "parameters.phi: is no input of the circuit; it has no inputs"),
        (TURN, {"parameters": {"theta": values(1, math.nan)}},
         "parameters.theta.values[1]: must be a finite number"),
        (TURN, {"parameters": {"theta": values(*[0] * 5000, -math.inf)}},
         "parameters.theta.values[5000]: must be a finite number"),
        (TURN, {"parameters": {"theta": values()}},
         "parameters.theta.values: has 0 values; send 1 value for each point"),
        (TWO, {"parameters": {"theta": values(1), "w": values(1, 2, 3)}},
         "parameters.w.values: has 3 values; send 2 values for each point"),
        (TWO, {"parameters": {"theta": values(1, 2), "w": values(*range(6))}},
         "parameters.w.values: has 3 points and 'theta' has 2; send as many for each, or one"),
        (BELL, {"observables": [{"terms": [{"pauli": "XQ"}]}]},
         "observables[0].terms[0].pauli: has the letter 'Q'; letters are I, X, Y, Z"),
        (BELL, {"observables": [ZZ, {"terms": [{"pauli": "X"}]}]},
         "observables[1].terms[0].pauli: has 1 letters; the circuit has 2 qubits"),
        (BELL, {"observables": [{"terms": [{"projector": "0X"}]}]},
         "observables[0].terms[0].projector: has the letter 'X'; letters are 0, 1"),
        (BELL, {"observables": [{"terms": [{"sparse": "Z0"}, {"sparse": "Z0 X2"}]}]},
         "observables[0].terms[1].sparse: has the qubit 2; the circuit has the qubits 0 to 1"),
        (BELL, {"observables": [observable("Z0 X0")]},
         "observables[0].terms[0].sparse: has the qubit 0 twice"),
        (BELL, {"observables": [observable("Z-1")]},
         "observables[0].terms[0].sparse: has 'Z-1'; send letters X, Y or Z with qubits"),
        (BELL, {"observables": [observable("Z0", coefficient=math.inf)]},
         "observables[0].terms[0].coefficient: must be a finite number"),
        (BELL, {"observables": [{"terms": [{}]}]},
         "observables[0].terms[0]: has no operator; send one of pauli, sparse and projector"),
        (BELL, {"observables": [{}]}, "observables[0].terms: must have 1 to 10000 items"),
        (BELL, {"observables": [observable(*["Z0"] * 6000)] * 2},
         "observables: have 12000 terms together; at most 10000 are accepted"),
        (BELL, {"observables": [observable(*["Z0"] * 1001)], "shots": 10},
         "observables: have 1001 terms together; at most 1000 are sampled"),
        (BELL, {"observables": [ZZ], "precision": 0.1, "shots": 10},
         "precision: cannot be combined with 'shots'; send one of them"),
        (BELL, {"observables": [ZZ], "precision": 0}, "precision: must be greater than 0, is 0"),
        (BELL, {"observables": [ZZ], "precision": math.nan}, "precision: must be a finite number"),
        (BELL, {"gradient": True}, "gradient: needs 'observables'"),
        (BELL, {"variances": True}, "variances: needs 'observables'"),
        (BELL, {"pairing": sweep_pb2.Pairing.zip}, "pairing: needs 'observables'"),
        (BELL, {"pairing": 7}, "pairing: must be outer or zip"),
        (BELL, {"observables": [ZZ], "gradient": True}, "gradient: needs a circuit with inputs"),
        (TURN, {"observables": [ZZ], "pairing": sweep_pb2.Pairing.zip,
                "parameters": {"theta": values(1, 2)}},
         "observables: there are 1 for 2 points; with the pairing 'zip' send one for each point"),
        (BELL, {"observables": [ZZ], "packed": True},
         "packed: cannot be combined with 'observables'"),
        (LOOP, {"probabilities": True, "parameters": {"theta": values(1)}},
         "probabilities: needs a circuit without mid-circuit measurement"),
        (TURN, {"parameters": {"theta": values(1)}, "options": {"memory": True}},
         "options.memory: cannot be combined with parameters"),
        (TURN, {"parameters": {"theta": values(1)}, "options": {"statevector": True}},
         "options.statevector: cannot be combined with parameters"),
        (TURN.replace("[2]", "[15]"), {"parameters": BIG, "probabilities": True},
         "probabilities: makes results of"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_by_the_name_of_the_field(ada: Api, qasm, fields, message):
    assert message in refusal(ada, qasm, **fields)


def test_a_tier_limits_the_points(server: Server):
    explorer = server.newcomer()
    with pytest.raises(grpc.RpcError, match="points: 101 requested, the explorer tier allows 100"):
        explorer.run(TURN, parameters={"theta": values(*range(101))})
    assert explorer.run(TURN, parameters={"theta": values(*range(100))}, shots=1)


def test_a_repeated_key_with_other_values_is_refused(ada: Api):
    def run(theta: float) -> Iterator[Any]:
        return ada.run_and_watch(TURN, key="step-1", parameters={"theta": values(theta)})

    assert next(run(0.1)).job.job_id == next(run(0.1)).job.job_id
    with pytest.raises(grpc.RpcError, match="was used for another request"):
        next(run(0.2))
