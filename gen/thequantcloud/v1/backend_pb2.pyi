from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from thequantcloud.v1 import access_pb2 as _access_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Backend(_message.Message):
    __slots__ = ("name", "provider", "num_qubits", "status", "is_simulator", "queue_depth", "avg_queue_time_sec", "cost_per_shot", "native_gates", "description", "widest_circuit")
    class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Backend.Status]
        online: _ClassVar[Backend.Status]
        offline: _ClassVar[Backend.Status]
    unspecified: Backend.Status
    online: Backend.Status
    offline: Backend.Status
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    NUM_QUBITS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    IS_SIMULATOR_FIELD_NUMBER: _ClassVar[int]
    QUEUE_DEPTH_FIELD_NUMBER: _ClassVar[int]
    AVG_QUEUE_TIME_SEC_FIELD_NUMBER: _ClassVar[int]
    COST_PER_SHOT_FIELD_NUMBER: _ClassVar[int]
    NATIVE_GATES_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    WIDEST_CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    num_qubits: int
    status: Backend.Status
    is_simulator: bool
    queue_depth: int
    avg_queue_time_sec: float
    cost_per_shot: float
    native_gates: _containers.RepeatedScalarFieldContainer[str]
    description: str
    widest_circuit: int
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., num_qubits: _Optional[int] = ..., status: _Optional[_Union[Backend.Status, str]] = ..., is_simulator: _Optional[bool] = ..., queue_depth: _Optional[int] = ..., avg_queue_time_sec: _Optional[float] = ..., cost_per_shot: _Optional[float] = ..., native_gates: _Optional[_Iterable[str]] = ..., description: _Optional[str] = ..., widest_circuit: _Optional[int] = ...) -> None: ...

class ListBackendsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListBackendsResponse(_message.Message):
    __slots__ = ("backends", "count")
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    count: int
    def __init__(self, backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., count: _Optional[int] = ...) -> None: ...

class GetBackendRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
