import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from thequantcloud.v1 import access_pb2 as _access_pb2
from thequantcloud.v1 import job_pb2 as _job_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from thequantcloud.v1 import run_options_pb2 as _run_options_pb2
from thequantcloud.v1 import sweep_pb2 as _sweep_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Circuit(_message.Message):
    __slots__ = ("id", "user_id", "name", "code", "qasm", "num_qubits", "metadata", "created_at", "updated_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    QASM_FIELD_NUMBER: _ClassVar[int]
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    name: str
    code: str
    qasm: str
    num_qubits: int
    metadata: _struct_pb2.Struct
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., name: _Optional[str] = ..., code: _Optional[str] = ..., qasm: _Optional[str] = ..., num_qubits: _Optional[int] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RunCircuitRequest(_message.Message):
    __slots__ = ("qasm", "circuit_qasm", "shots", "backend", "optimize_for", "num_qubits", "max_cost_usd", "min_fidelity", "options", "code", "name", "tags", "parameters", "observables", "pairing", "precision", "gradient", "variances", "probabilities", "packed")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _sweep_pb2.ParameterValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_sweep_pb2.ParameterValues, _Mapping]] = ...) -> None: ...
    QASM_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_QASM_FIELD_NUMBER: _ClassVar[int]
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZE_FOR_FIELD_NUMBER: _ClassVar[int]
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_USD_FIELD_NUMBER: _ClassVar[int]
    MIN_FIDELITY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    OBSERVABLES_FIELD_NUMBER: _ClassVar[int]
    PAIRING_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_FIELD_NUMBER: _ClassVar[int]
    VARIANCES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    qasm: str
    circuit_qasm: str
    shots: int
    backend: str
    optimize_for: _job_pb2.Optimization.Target
    num_qubits: int
    max_cost_usd: float
    min_fidelity: float
    options: _run_options_pb2.RunOptions
    code: str
    name: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    parameters: _containers.MessageMap[str, _sweep_pb2.ParameterValues]
    observables: _containers.RepeatedCompositeFieldContainer[_sweep_pb2.Observable]
    pairing: _sweep_pb2.Pairing.Mode
    precision: float
    gradient: bool
    variances: bool
    probabilities: bool
    packed: bool
    def __init__(self, qasm: _Optional[str] = ..., circuit_qasm: _Optional[str] = ..., shots: _Optional[int] = ..., backend: _Optional[str] = ..., optimize_for: _Optional[_Union[_job_pb2.Optimization.Target, str]] = ..., num_qubits: _Optional[int] = ..., max_cost_usd: _Optional[float] = ..., min_fidelity: _Optional[float] = ..., options: _Optional[_Union[_run_options_pb2.RunOptions, _Mapping]] = ..., code: _Optional[str] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., parameters: _Optional[_Mapping[str, _sweep_pb2.ParameterValues]] = ..., observables: _Optional[_Iterable[_Union[_sweep_pb2.Observable, _Mapping]]] = ..., pairing: _Optional[_Union[_sweep_pb2.Pairing.Mode, str]] = ..., precision: _Optional[float] = ..., gradient: _Optional[bool] = ..., variances: _Optional[bool] = ..., probabilities: _Optional[bool] = ..., packed: _Optional[bool] = ...) -> None: ...

class RunCircuitResponse(_message.Message):
    __slots__ = ("job_id", "status", "backend", "shots", "optimize_for", "submitted_at")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZE_FOR_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    status: _job_pb2.Job.Status
    backend: str
    shots: int
    optimize_for: _job_pb2.Optimization.Target
    submitted_at: _timestamp_pb2.Timestamp
    def __init__(self, job_id: _Optional[str] = ..., status: _Optional[_Union[_job_pb2.Job.Status, str]] = ..., backend: _Optional[str] = ..., shots: _Optional[int] = ..., optimize_for: _Optional[_Union[_job_pb2.Optimization.Target, str]] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RunCircuitsRequest(_message.Message):
    __slots__ = ("circuits",)
    CIRCUITS_FIELD_NUMBER: _ClassVar[int]
    circuits: _containers.RepeatedCompositeFieldContainer[RunCircuitRequest]
    def __init__(self, circuits: _Optional[_Iterable[_Union[RunCircuitRequest, _Mapping]]] = ...) -> None: ...

class RunCircuitsResponse(_message.Message):
    __slots__ = ("batch_id", "jobs", "count", "cursor")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    jobs: _containers.RepeatedCompositeFieldContainer[RunCircuitResponse]
    count: int
    cursor: str
    def __init__(self, batch_id: _Optional[str] = ..., jobs: _Optional[_Iterable[_Union[RunCircuitResponse, _Mapping]]] = ..., count: _Optional[int] = ..., cursor: _Optional[str] = ...) -> None: ...

class RunStreamRequest(_message.Message):
    __slots__ = ("circuit", "idempotency_key")
    CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    circuit: RunCircuitRequest
    idempotency_key: str
    def __init__(self, circuit: _Optional[_Union[RunCircuitRequest, _Mapping]] = ..., idempotency_key: _Optional[str] = ...) -> None: ...

class RunStreamResponse(_message.Message):
    __slots__ = ("answers",)
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    answers: _containers.RepeatedCompositeFieldContainer[RunStreamAnswer]
    def __init__(self, answers: _Optional[_Iterable[_Union[RunStreamAnswer, _Mapping]]] = ...) -> None: ...

class RunStreamAnswer(_message.Message):
    __slots__ = ("request", "event", "error")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request: int
    event: _job_pb2.JobEvent
    error: _status_pb2.Status
    def __init__(self, request: _Optional[int] = ..., event: _Optional[_Union[_job_pb2.JobEvent, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class PlanCircuitResponse(_message.Message):
    __slots__ = ("backend", "method", "reason", "candidates", "analysis", "shots", "optimize_for", "predicted_seconds", "predicted_memory_bytes", "cost_usd", "queue_position", "predicted_wait_seconds", "time_limit_seconds", "predicted_fidelity", "quota", "predicted_threads")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZE_FOR_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIME_LIMIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIDELITY_FIELD_NUMBER: _ClassVar[int]
    QUOTA_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_THREADS_FIELD_NUMBER: _ClassVar[int]
    backend: str
    method: str
    reason: str
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    analysis: CircuitAnalysis
    shots: int
    optimize_for: _job_pb2.Optimization.Target
    predicted_seconds: float
    predicted_memory_bytes: float
    cost_usd: float
    queue_position: int
    predicted_wait_seconds: float
    time_limit_seconds: float
    predicted_fidelity: float
    quota: QuotaUse
    predicted_threads: int
    def __init__(self, backend: _Optional[str] = ..., method: _Optional[str] = ..., reason: _Optional[str] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., analysis: _Optional[_Union[CircuitAnalysis, _Mapping]] = ..., shots: _Optional[int] = ..., optimize_for: _Optional[_Union[_job_pb2.Optimization.Target, str]] = ..., predicted_seconds: _Optional[float] = ..., predicted_memory_bytes: _Optional[float] = ..., cost_usd: _Optional[float] = ..., queue_position: _Optional[int] = ..., predicted_wait_seconds: _Optional[float] = ..., time_limit_seconds: _Optional[float] = ..., predicted_fidelity: _Optional[float] = ..., quota: _Optional[_Union[QuotaUse, _Mapping]] = ..., predicted_threads: _Optional[int] = ...) -> None: ...

class DrawCircuitRequest(_message.Message):
    __slots__ = ("qasm",)
    QASM_FIELD_NUMBER: _ClassVar[int]
    qasm: str
    def __init__(self, qasm: _Optional[str] = ...) -> None: ...

class DrawCircuitResponse(_message.Message):
    __slots__ = ("svg", "text", "analysis", "hidden_qubits", "hidden_instructions")
    SVG_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_QUBITS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    svg: str
    text: str
    analysis: CircuitAnalysis
    hidden_qubits: int
    hidden_instructions: int
    def __init__(self, svg: _Optional[str] = ..., text: _Optional[str] = ..., analysis: _Optional[_Union[CircuitAnalysis, _Mapping]] = ..., hidden_qubits: _Optional[int] = ..., hidden_instructions: _Optional[int] = ...) -> None: ...

class QuotaUse(_message.Message):
    __slots__ = ("simulator_minutes", "simulator_minutes_left", "qpu_tasks", "qpu_tasks_left", "credits_usd", "credits_usd_left", "waiting_jobs_left")
    SIMULATOR_MINUTES_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_MINUTES_LEFT_FIELD_NUMBER: _ClassVar[int]
    QPU_TASKS_FIELD_NUMBER: _ClassVar[int]
    QPU_TASKS_LEFT_FIELD_NUMBER: _ClassVar[int]
    CREDITS_USD_FIELD_NUMBER: _ClassVar[int]
    CREDITS_USD_LEFT_FIELD_NUMBER: _ClassVar[int]
    WAITING_JOBS_LEFT_FIELD_NUMBER: _ClassVar[int]
    simulator_minutes: float
    simulator_minutes_left: float
    qpu_tasks: int
    qpu_tasks_left: int
    credits_usd: float
    credits_usd_left: float
    waiting_jobs_left: int
    def __init__(self, simulator_minutes: _Optional[float] = ..., simulator_minutes_left: _Optional[float] = ..., qpu_tasks: _Optional[int] = ..., qpu_tasks_left: _Optional[int] = ..., credits_usd: _Optional[float] = ..., credits_usd_left: _Optional[float] = ..., waiting_jobs_left: _Optional[int] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("backend", "method", "score", "rejection", "predicted_seconds", "predicted_memory_bytes", "cost_usd", "scores", "predicted_wait_seconds", "predicted_fidelity", "predicted_threads")
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    REJECTION_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    COST_USD_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIDELITY_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_THREADS_FIELD_NUMBER: _ClassVar[int]
    backend: str
    method: str
    score: float
    rejection: str
    predicted_seconds: float
    predicted_memory_bytes: float
    cost_usd: float
    scores: CandidateScores
    predicted_wait_seconds: float
    predicted_fidelity: float
    predicted_threads: int
    def __init__(self, backend: _Optional[str] = ..., method: _Optional[str] = ..., score: _Optional[float] = ..., rejection: _Optional[str] = ..., predicted_seconds: _Optional[float] = ..., predicted_memory_bytes: _Optional[float] = ..., cost_usd: _Optional[float] = ..., scores: _Optional[_Union[CandidateScores, _Mapping]] = ..., predicted_wait_seconds: _Optional[float] = ..., predicted_fidelity: _Optional[float] = ..., predicted_threads: _Optional[int] = ...) -> None: ...

class CandidateScores(_message.Message):
    __slots__ = ("speed", "accuracy", "cost", "balanced")
    SPEED_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    BALANCED_FIELD_NUMBER: _ClassVar[int]
    speed: float
    accuracy: float
    cost: float
    balanced: float
    def __init__(self, speed: _Optional[float] = ..., accuracy: _Optional[float] = ..., cost: _Optional[float] = ..., balanced: _Optional[float] = ...) -> None: ...

class CircuitAnalysis(_message.Message):
    __slots__ = ("num_qubits", "num_clbits", "circuit_depth", "gate_count", "two_qubit_gate_count", "is_clifford", "has_mid_circuit", "gate_counts", "gates_by_kind", "parameter_count", "interaction", "algorithm", "state_bytes")
    class GateCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class GatesByKindEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class StateBytesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    NUM_CLBITS_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_DEPTH_FIELD_NUMBER: _ClassVar[int]
    GATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    TWO_QUBIT_GATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_CLIFFORD_FIELD_NUMBER: _ClassVar[int]
    HAS_MID_CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    GATE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    GATES_BY_KIND_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_COUNT_FIELD_NUMBER: _ClassVar[int]
    INTERACTION_FIELD_NUMBER: _ClassVar[int]
    ALGORITHM_FIELD_NUMBER: _ClassVar[int]
    STATE_BYTES_FIELD_NUMBER: _ClassVar[int]
    num_qubits: int
    num_clbits: int
    circuit_depth: int
    gate_count: int
    two_qubit_gate_count: int
    is_clifford: bool
    has_mid_circuit: bool
    gate_counts: _containers.ScalarMap[str, int]
    gates_by_kind: _containers.ScalarMap[str, int]
    parameter_count: int
    interaction: InteractionGraph
    algorithm: str
    state_bytes: _containers.ScalarMap[str, float]
    def __init__(self, num_qubits: _Optional[int] = ..., num_clbits: _Optional[int] = ..., circuit_depth: _Optional[int] = ..., gate_count: _Optional[int] = ..., two_qubit_gate_count: _Optional[int] = ..., is_clifford: _Optional[bool] = ..., has_mid_circuit: _Optional[bool] = ..., gate_counts: _Optional[_Mapping[str, int]] = ..., gates_by_kind: _Optional[_Mapping[str, int]] = ..., parameter_count: _Optional[int] = ..., interaction: _Optional[_Union[InteractionGraph, _Mapping]] = ..., algorithm: _Optional[str] = ..., state_bytes: _Optional[_Mapping[str, float]] = ...) -> None: ...

class InteractionGraph(_message.Message):
    __slots__ = ("pairs", "degree", "reach", "entanglement_bits")
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    DEGREE_FIELD_NUMBER: _ClassVar[int]
    REACH_FIELD_NUMBER: _ClassVar[int]
    ENTANGLEMENT_BITS_FIELD_NUMBER: _ClassVar[int]
    pairs: int
    degree: int
    reach: int
    entanglement_bits: int
    def __init__(self, pairs: _Optional[int] = ..., degree: _Optional[int] = ..., reach: _Optional[int] = ..., entanglement_bits: _Optional[int] = ...) -> None: ...

class CreateCircuitRequest(_message.Message):
    __slots__ = ("name", "code", "qasm", "num_qubits", "metadata")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    QASM_FIELD_NUMBER: _ClassVar[int]
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    code: str
    qasm: str
    num_qubits: int
    metadata: _struct_pb2.Struct
    def __init__(self, name: _Optional[str] = ..., code: _Optional[str] = ..., qasm: _Optional[str] = ..., num_qubits: _Optional[int] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ListCircuitsRequest(_message.Message):
    __slots__ = ("page_token", "limit", "offset")
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    page_token: str
    limit: int
    offset: int
    def __init__(self, page_token: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class ListCircuitsResponse(_message.Message):
    __slots__ = ("next_page_token", "circuits", "count", "total", "limit", "offset")
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CIRCUITS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    circuits: _containers.RepeatedCompositeFieldContainer[Circuit]
    count: int
    total: int
    limit: int
    offset: int
    def __init__(self, next_page_token: _Optional[str] = ..., circuits: _Optional[_Iterable[_Union[Circuit, _Mapping]]] = ..., count: _Optional[int] = ..., total: _Optional[int] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class GetCircuitRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class UpdateCircuitRequest(_message.Message):
    __slots__ = ("id", "name", "code", "qasm", "num_qubits", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    QASM_FIELD_NUMBER: _ClassVar[int]
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    code: str
    qasm: str
    num_qubits: int
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., code: _Optional[str] = ..., qasm: _Optional[str] = ..., num_qubits: _Optional[int] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class DeleteCircuitRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteCircuitResponse(_message.Message):
    __slots__ = ("detail",)
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    detail: str
    def __init__(self, detail: _Optional[str] = ...) -> None: ...
