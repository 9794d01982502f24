from google.api import field_behavior_pb2 as _field_behavior_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
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
    __slots__ = ("depolarizing_1q", "depolarizing_2q", "readout", "t1_us", "t2_us", "gate_time_1q_us", "gate_time_2q_us")
    DEPOLARIZING_1Q_FIELD_NUMBER: _ClassVar[int]
    DEPOLARIZING_2Q_FIELD_NUMBER: _ClassVar[int]
    READOUT_FIELD_NUMBER: _ClassVar[int]
    T1_US_FIELD_NUMBER: _ClassVar[int]
    T2_US_FIELD_NUMBER: _ClassVar[int]
    GATE_TIME_1Q_US_FIELD_NUMBER: _ClassVar[int]
    GATE_TIME_2Q_US_FIELD_NUMBER: _ClassVar[int]
    depolarizing_1q: float
    depolarizing_2q: float
    readout: float
    t1_us: float
    t2_us: float
    gate_time_1q_us: float
    gate_time_2q_us: float
    def __init__(self, depolarizing_1q: _Optional[float] = ..., depolarizing_2q: _Optional[float] = ..., readout: _Optional[float] = ..., t1_us: _Optional[float] = ..., t2_us: _Optional[float] = ..., gate_time_1q_us: _Optional[float] = ..., gate_time_2q_us: _Optional[float] = ...) -> None: ...
