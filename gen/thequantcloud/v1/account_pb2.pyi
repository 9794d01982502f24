import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from thequantcloud.v1 import access_pb2 as _access_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SignInRequest(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: str
    def __init__(self, code: _Optional[str] = ...) -> None: ...

class SignInResponse(_message.Message):
    __slots__ = ("token", "expires_at")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    token: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, token: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ()
    class Name(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Tier.Name]
        explorer: _ClassVar[Tier.Name]
        developer: _ClassVar[Tier.Name]
        enterprise: _ClassVar[Tier.Name]
    unspecified: Tier.Name
    explorer: Tier.Name
    developer: Tier.Name
    enterprise: Tier.Name
    def __init__(self) -> None: ...

class Profile(_message.Message):
    __slots__ = ("id", "email", "name", "tier", "created_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    email: str
    name: str
    tier: Tier.Name
    created_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., email: _Optional[str] = ..., name: _Optional[str] = ..., tier: _Optional[_Union[Tier.Name, str]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetUsageRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetUsageResponse(_message.Message):
    __slots__ = ("tier", "credits_remaining_usd", "current_month", "limits", "simulator_minutes_used", "simulator_minutes_limit", "qpu_tasks_used", "qpu_tasks_limit")
    TIER_FIELD_NUMBER: _ClassVar[int]
    CREDITS_REMAINING_USD_FIELD_NUMBER: _ClassVar[int]
    CURRENT_MONTH_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_MINUTES_USED_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_MINUTES_LIMIT_FIELD_NUMBER: _ClassVar[int]
    QPU_TASKS_USED_FIELD_NUMBER: _ClassVar[int]
    QPU_TASKS_LIMIT_FIELD_NUMBER: _ClassVar[int]
    tier: Tier.Name
    credits_remaining_usd: float
    current_month: MonthlyUsage
    limits: TierLimits
    simulator_minutes_used: float
    simulator_minutes_limit: float
    qpu_tasks_used: int
    qpu_tasks_limit: int
    def __init__(self, tier: _Optional[_Union[Tier.Name, str]] = ..., credits_remaining_usd: _Optional[float] = ..., current_month: _Optional[_Union[MonthlyUsage, _Mapping]] = ..., limits: _Optional[_Union[TierLimits, _Mapping]] = ..., simulator_minutes_used: _Optional[float] = ..., simulator_minutes_limit: _Optional[float] = ..., qpu_tasks_used: _Optional[int] = ..., qpu_tasks_limit: _Optional[int] = ...) -> None: ...

class MonthlyUsage(_message.Message):
    __slots__ = ("simulator_minutes", "simulator_limit", "qpu_tasks", "qpu_limit", "total_jobs", "total_cost_usd")
    SIMULATOR_MINUTES_FIELD_NUMBER: _ClassVar[int]
    SIMULATOR_LIMIT_FIELD_NUMBER: _ClassVar[int]
    QPU_TASKS_FIELD_NUMBER: _ClassVar[int]
    QPU_LIMIT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_JOBS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COST_USD_FIELD_NUMBER: _ClassVar[int]
    simulator_minutes: float
    simulator_limit: float
    qpu_tasks: int
    qpu_limit: int
    total_jobs: int
    total_cost_usd: float
    def __init__(self, simulator_minutes: _Optional[float] = ..., simulator_limit: _Optional[float] = ..., qpu_tasks: _Optional[int] = ..., qpu_limit: _Optional[int] = ..., total_jobs: _Optional[int] = ..., total_cost_usd: _Optional[float] = ...) -> None: ...

class TierLimits(_message.Message):
    __slots__ = ("max_shots", "max_qubits", "max_concurrent_jobs", "api_keys_limit", "max_points")
    MAX_SHOTS_FIELD_NUMBER: _ClassVar[int]
    MAX_QUBITS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_JOBS_FIELD_NUMBER: _ClassVar[int]
    API_KEYS_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_POINTS_FIELD_NUMBER: _ClassVar[int]
    max_shots: int
    max_qubits: int
    max_concurrent_jobs: int
    api_keys_limit: int
    max_points: int
    def __init__(self, max_shots: _Optional[int] = ..., max_qubits: _Optional[int] = ..., max_concurrent_jobs: _Optional[int] = ..., api_keys_limit: _Optional[int] = ..., max_points: _Optional[int] = ...) -> None: ...

class GetProfileRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
