import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from thequantcloud.v1 import access_pb2 as _access_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from thequantcloud.v1 import run_options_pb2 as _run_options_pb2
from thequantcloud.v1 import sweep_pb2 as _sweep_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Optimization(_message.Message):
    __slots__ = ()
    class Target(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Optimization.Target]
        balanced: _ClassVar[Optimization.Target]
        speed: _ClassVar[Optimization.Target]
        accuracy: _ClassVar[Optimization.Target]
        quality: _ClassVar[Optimization.Target]
        cost: _ClassVar[Optimization.Target]
    unspecified: Optimization.Target
    balanced: Optimization.Target
    speed: Optimization.Target
    accuracy: Optimization.Target
    quality: Optimization.Target
    cost: Optimization.Target
    def __init__(self) -> None: ...

class Wait(_message.Message):
    __slots__ = ()
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Wait.Reason]
        turn: _ClassVar[Wait.Reason]
        workers: _ClassVar[Wait.Reason]
        memory: _ClassVar[Wait.Reason]
        account: _ClassVar[Wait.Reason]
    unspecified: Wait.Reason
    turn: Wait.Reason
    workers: Wait.Reason
    memory: Wait.Reason
    account: Wait.Reason
    def __init__(self) -> None: ...

class Job(_message.Message):
    __slots__ = ("job_id", "status", "backend", "shots", "optimize_for", "submitted_at", "started_at", "completed_at", "error_message", "metadata", "batch_id", "options", "name", "tags", "estimated_start_at", "wait_reason")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Job.Status]
        submitted: _ClassVar[Job.Status]
        analyzing: _ClassVar[Job.Status]
        routing: _ClassVar[Job.Status]
        queued: _ClassVar[Job.Status]
        dispatched: _ClassVar[Job.Status]
        running: _ClassVar[Job.Status]
        completed: _ClassVar[Job.Status]
        failed: _ClassVar[Job.Status]
        timeout: _ClassVar[Job.Status]
        cancelled: _ClassVar[Job.Status]
    unspecified: Job.Status
    submitted: Job.Status
    analyzing: Job.Status
    routing: Job.Status
    queued: Job.Status
    dispatched: Job.Status
    running: Job.Status
    completed: Job.Status
    failed: Job.Status
    timeout: Job.Status
    cancelled: Job.Status
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZE_FOR_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATED_START_AT_FIELD_NUMBER: _ClassVar[int]
    WAIT_REASON_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    status: Job.Status
    backend: str
    shots: int
    optimize_for: Optimization.Target
    submitted_at: _timestamp_pb2.Timestamp
    started_at: _timestamp_pb2.Timestamp
    completed_at: _timestamp_pb2.Timestamp
    error_message: str
    metadata: _struct_pb2.Struct
    batch_id: str
    options: _run_options_pb2.RunOptions
    name: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    estimated_start_at: _timestamp_pb2.Timestamp
    wait_reason: Wait.Reason
    def __init__(self, job_id: _Optional[str] = ..., status: _Optional[_Union[Job.Status, str]] = ..., backend: _Optional[str] = ..., shots: _Optional[int] = ..., optimize_for: _Optional[_Union[Optimization.Target, str]] = ..., submitted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., completed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., error_message: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., batch_id: _Optional[str] = ..., options: _Optional[_Union[_run_options_pb2.RunOptions, _Mapping]] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., estimated_start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., wait_reason: _Optional[_Union[Wait.Reason, str]] = ...) -> None: ...

class JobCircuit(_message.Message):
    __slots__ = ("job_id", "qasm", "shots", "options", "optimize_for", "requested_backend", "max_cost_usd", "min_fidelity", "backend", "method", "server_version", "simulator_version", "name", "tags", "sweep")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    QASM_FIELD_NUMBER: _ClassVar[int]
    SHOTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OPTIMIZE_FOR_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BACKEND_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_USD_FIELD_NUMBER: _ClassVar[int]
    MIN_FIDELITY_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_VERSION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    qasm: str
    shots: int
    options: _run_options_pb2.RunOptions
    optimize_for: Optimization.Target
    requested_backend: str
    max_cost_usd: float
    min_fidelity: float
    backend: str
    method: str
    server_version: str
    simulator_version: str
    name: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    sweep: _sweep_pb2.SweepRequest
    def __init__(self, job_id: _Optional[str] = ..., qasm: _Optional[str] = ..., shots: _Optional[int] = ..., options: _Optional[_Union[_run_options_pb2.RunOptions, _Mapping]] = ..., optimize_for: _Optional[_Union[Optimization.Target, str]] = ..., requested_backend: _Optional[str] = ..., max_cost_usd: _Optional[float] = ..., min_fidelity: _Optional[float] = ..., backend: _Optional[str] = ..., method: _Optional[str] = ..., server_version: _Optional[str] = ..., simulator_version: _Optional[str] = ..., name: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ..., sweep: _Optional[_Union[_sweep_pb2.SweepRequest, _Mapping]] = ...) -> None: ...

class Statevector(_message.Message):
    __slots__ = ("real", "imag")
    REAL_FIELD_NUMBER: _ClassVar[int]
    IMAG_FIELD_NUMBER: _ClassVar[int]
    real: _containers.RepeatedScalarFieldContainer[float]
    imag: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, real: _Optional[_Iterable[float]] = ..., imag: _Optional[_Iterable[float]] = ...) -> None: ...

class JobResult(_message.Message):
    __slots__ = ("job_id", "counts", "probabilities", "statevector", "execution_time_ms", "backend", "metadata", "sweep")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ProbabilitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    STATEVECTOR_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    SWEEP_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    counts: _containers.ScalarMap[str, int]
    probabilities: _containers.ScalarMap[str, float]
    statevector: Statevector
    execution_time_ms: float
    backend: str
    metadata: _struct_pb2.Struct
    sweep: _sweep_pb2.SweepResult
    def __init__(self, job_id: _Optional[str] = ..., counts: _Optional[_Mapping[str, int]] = ..., probabilities: _Optional[_Mapping[str, float]] = ..., statevector: _Optional[_Union[Statevector, _Mapping]] = ..., execution_time_ms: _Optional[float] = ..., backend: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., sweep: _Optional[_Union[_sweep_pb2.SweepResult, _Mapping]] = ...) -> None: ...

class JobEvent(_message.Message):
    __slots__ = ("sequence", "occurred_at", "job", "queue_position", "result", "checkpoint", "error")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    occurred_at: _timestamp_pb2.Timestamp
    job: Job
    queue_position: int
    result: JobResult
    checkpoint: bool
    error: _status_pb2.Status
    def __init__(self, sequence: _Optional[int] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., job: _Optional[_Union[Job, _Mapping]] = ..., queue_position: _Optional[int] = ..., result: _Optional[_Union[JobResult, _Mapping]] = ..., checkpoint: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class ListJobsRequest(_message.Message):
    __slots__ = ("page_token", "limit", "offset", "status", "status_filter", "backend", "tag", "name_prefix", "submitted_after", "submitted_before")
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FILTER_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    TAG_FIELD_NUMBER: _ClassVar[int]
    NAME_PREFIX_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_AFTER_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    page_token: str
    limit: int
    offset: int
    status: _containers.RepeatedScalarFieldContainer[Job.Status]
    status_filter: Job.Status
    backend: str
    tag: str
    name_prefix: str
    submitted_after: _timestamp_pb2.Timestamp
    submitted_before: _timestamp_pb2.Timestamp
    def __init__(self, page_token: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., status: _Optional[_Iterable[_Union[Job.Status, str]]] = ..., status_filter: _Optional[_Union[Job.Status, str]] = ..., backend: _Optional[str] = ..., tag: _Optional[str] = ..., name_prefix: _Optional[str] = ..., submitted_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., submitted_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListJobsResponse(_message.Message):
    __slots__ = ("next_page_token", "jobs", "count", "total", "limit", "offset")
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    jobs: _containers.RepeatedCompositeFieldContainer[Job]
    count: int
    total: int
    limit: int
    offset: int
    def __init__(self, next_page_token: _Optional[str] = ..., jobs: _Optional[_Iterable[_Union[Job, _Mapping]]] = ..., count: _Optional[int] = ..., total: _Optional[int] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class GetJobRequest(_message.Message):
    __slots__ = ("id", "wait_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    wait_seconds: int
    def __init__(self, id: _Optional[str] = ..., wait_seconds: _Optional[int] = ...) -> None: ...

class GetJobResultRequest(_message.Message):
    __slots__ = ("id", "point_offset", "point_limit")
    ID_FIELD_NUMBER: _ClassVar[int]
    POINT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    POINT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    point_offset: int
    point_limit: int
    def __init__(self, id: _Optional[str] = ..., point_offset: _Optional[int] = ..., point_limit: _Optional[int] = ...) -> None: ...

class GetJobCircuitRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class CancelJobResponse(_message.Message):
    __slots__ = ("job_id", "status")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    status: Job.Status
    def __init__(self, job_id: _Optional[str] = ..., status: _Optional[_Union[Job.Status, str]] = ...) -> None: ...

class WatchJobRequest(_message.Message):
    __slots__ = ("id", "after_sequence", "with_result")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    WITH_RESULT_FIELD_NUMBER: _ClassVar[int]
    id: str
    after_sequence: int
    with_result: bool
    def __init__(self, id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., with_result: _Optional[bool] = ...) -> None: ...

class WatchJobsRequest(_message.Message):
    __slots__ = ("after_cursor", "status", "with_result", "batch_id")
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    WITH_RESULT_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    after_cursor: str
    status: _containers.RepeatedScalarFieldContainer[Job.Status]
    with_result: bool
    batch_id: str
    def __init__(self, after_cursor: _Optional[str] = ..., status: _Optional[_Iterable[_Union[Job.Status, str]]] = ..., with_result: _Optional[bool] = ..., batch_id: _Optional[str] = ...) -> None: ...

class WatchJobsResponse(_message.Message):
    __slots__ = ("cursor", "events", "checkpoint", "error")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    events: _containers.RepeatedCompositeFieldContainer[JobEvent]
    checkpoint: bool
    error: _status_pb2.Status
    def __init__(self, cursor: _Optional[str] = ..., events: _Optional[_Iterable[_Union[JobEvent, _Mapping]]] = ..., checkpoint: _Optional[bool] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class CreateWatchTicketRequest(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class CreateWatchTicketResponse(_message.Message):
    __slots__ = ("ticket", "path", "open_before", "expires_at")
    TICKET_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPEN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    ticket: str
    path: str
    open_before: _timestamp_pb2.Timestamp
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, ticket: _Optional[str] = ..., path: _Optional[str] = ..., open_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
