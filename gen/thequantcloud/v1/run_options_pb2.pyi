from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunOptions(_message.Message):
    __slots__ = ("seed", "statevector", "memory", "noise", "timeout_seconds")
    SEED_FIELD_NUMBER: _ClassVar[int]
    STATEVECTOR_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    seed: int
    statevector: bool
    memory: bool
    noise: NoiseModel
    timeout_seconds: float
    def __init__(self, seed: _Optional[int] = ..., statevector: _Optional[bool] = ..., memory: _Optional[bool] = ..., noise: _Optional[_Union[NoiseModel, _Mapping]] = ..., timeout_seconds: _Optional[float] = ...) -> None: ...

class NoiseModel(_message.Message):
    __slots__ = ("depolarizing_1q", "depolarizing_2q", "readout", "t1_us", "t2_us", "gate_time_1q_us", "gate_time_2q_us", "gates", "qubits")
    class GatesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GateNoise
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GateNoise, _Mapping]] = ...) -> None: ...
    class QubitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: QubitNoise
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[QubitNoise, _Mapping]] = ...) -> None: ...
    DEPOLARIZING_1Q_FIELD_NUMBER: _ClassVar[int]
    DEPOLARIZING_2Q_FIELD_NUMBER: _ClassVar[int]
    READOUT_FIELD_NUMBER: _ClassVar[int]
    T1_US_FIELD_NUMBER: _ClassVar[int]
    T2_US_FIELD_NUMBER: _ClassVar[int]
    GATE_TIME_1Q_US_FIELD_NUMBER: _ClassVar[int]
    GATE_TIME_2Q_US_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    QUBITS_FIELD_NUMBER: _ClassVar[int]
    depolarizing_1q: float
    depolarizing_2q: float
    readout: float
    t1_us: float
    t2_us: float
    gate_time_1q_us: float
    gate_time_2q_us: float
    gates: _containers.MessageMap[str, GateNoise]
    qubits: _containers.MessageMap[str, QubitNoise]
    def __init__(self, depolarizing_1q: _Optional[float] = ..., depolarizing_2q: _Optional[float] = ..., readout: _Optional[float] = ..., t1_us: _Optional[float] = ..., t2_us: _Optional[float] = ..., gate_time_1q_us: _Optional[float] = ..., gate_time_2q_us: _Optional[float] = ..., gates: _Optional[_Mapping[str, GateNoise]] = ..., qubits: _Optional[_Mapping[str, QubitNoise]] = ...) -> None: ...

class GateNoise(_message.Message):
    __slots__ = ("depolarizing", "pauli", "amplitude_damping", "gate_time_us")
    class PauliEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    DEPOLARIZING_FIELD_NUMBER: _ClassVar[int]
    PAULI_FIELD_NUMBER: _ClassVar[int]
    AMPLITUDE_DAMPING_FIELD_NUMBER: _ClassVar[int]
    GATE_TIME_US_FIELD_NUMBER: _ClassVar[int]
    depolarizing: float
    pauli: _containers.ScalarMap[str, float]
    amplitude_damping: float
    gate_time_us: float
    def __init__(self, depolarizing: _Optional[float] = ..., pauli: _Optional[_Mapping[str, float]] = ..., amplitude_damping: _Optional[float] = ..., gate_time_us: _Optional[float] = ...) -> None: ...

class QubitNoise(_message.Message):
    __slots__ = ("t1_us", "t2_us", "readout")
    T1_US_FIELD_NUMBER: _ClassVar[int]
    T2_US_FIELD_NUMBER: _ClassVar[int]
    READOUT_FIELD_NUMBER: _ClassVar[int]
    t1_us: float
    t2_us: float
    readout: _containers.RepeatedCompositeFieldContainer[_struct_pb2.ListValue]
    def __init__(self, t1_us: _Optional[float] = ..., t2_us: _Optional[float] = ..., readout: _Optional[_Iterable[_Union[_struct_pb2.ListValue, _Mapping]]] = ...) -> None: ...
