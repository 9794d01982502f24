import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from thequantcloud.v1 import access_pb2 as _access_pb2
from thequantcloud.v1 import backend_pb2 as _backend_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetHealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHealthResponse(_message.Message):
    __slots__ = ("status", "version", "timestamp")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    status: str
    version: str
    timestamp: _timestamp_pb2.Timestamp
    def __init__(self, status: _Optional[str] = ..., version: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("status", "backends", "active_jobs", "timestamp")
    class PlatformStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[GetStatusResponse.PlatformStatus]
        operational: _ClassVar[GetStatusResponse.PlatformStatus]
        degraded: _ClassVar[GetStatusResponse.PlatformStatus]
    unspecified: GetStatusResponse.PlatformStatus
    operational: GetStatusResponse.PlatformStatus
    degraded: GetStatusResponse.PlatformStatus
    class BackendsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _backend_pb2.Backend.Status
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_backend_pb2.Backend.Status, str]] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_JOBS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    status: GetStatusResponse.PlatformStatus
    backends: _containers.ScalarMap[str, _backend_pb2.Backend.Status]
    active_jobs: int
    timestamp: _timestamp_pb2.Timestamp
    def __init__(self, status: _Optional[_Union[GetStatusResponse.PlatformStatus, str]] = ..., backends: _Optional[_Mapping[str, _backend_pb2.Backend.Status]] = ..., active_jobs: _Optional[int] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
