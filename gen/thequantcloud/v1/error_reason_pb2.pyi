from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(_message.Message):
    __slots__ = ()
    class Name(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNSPECIFIED: _ClassVar[ErrorReason.Name]
        INVALID_ARGUMENT: _ClassVar[ErrorReason.Name]
        INVALID_CIRCUIT: _ClassVar[ErrorReason.Name]
        INVALID_CURSOR: _ClassVar[ErrorReason.Name]
        UNKNOWN_BACKEND: _ClassVar[ErrorReason.Name]
        BACKEND_CANNOT_RUN: _ClassVar[ErrorReason.Name]
        NO_BACKEND_FITS: _ClassVar[ErrorReason.Name]
        RUN_TOO_LONG: _ClassVar[ErrorReason.Name]
        CODE_NOT_UNDERSTOOD: _ClassVar[ErrorReason.Name]
        RESULT_TOO_LARGE: _ClassVar[ErrorReason.Name]
        BACKEND_OFFLINE: _ClassVar[ErrorReason.Name]
        JOB_HAS_NO_RESULT: _ClassVar[ErrorReason.Name]
        JOB_ALREADY_FINISHED: _ClassVar[ErrorReason.Name]
        HISTORY_REMOVED: _ClassVar[ErrorReason.Name]
        RESULT_REMOVED: _ClassVar[ErrorReason.Name]
        CIRCUIT_REMOVED: _ClassVar[ErrorReason.Name]
        CREDENTIALS_MISSING: _ClassVar[ErrorReason.Name]
        UNKNOWN_SCHEME: _ClassVar[ErrorReason.Name]
        INVALID_TOKEN: _ClassVar[ErrorReason.Name]
        TOKEN_EXPIRED: _ClassVar[ErrorReason.Name]
        INVALID_API_KEY: _ClassVar[ErrorReason.Name]
        INVALID_TICKET: _ClassVar[ErrorReason.Name]
        TICKET_EXPIRED: _ClassVar[ErrorReason.Name]
        INVALID_SIGN_IN_CODE: _ClassVar[ErrorReason.Name]
        PERMISSION_DENIED: _ClassVar[ErrorReason.Name]
        JWT_REQUIRED: _ClassVar[ErrorReason.Name]
        QUOTA_EXCEEDED: _ClassVar[ErrorReason.Name]
        ACCOUNT_NOT_FOUND: _ClassVar[ErrorReason.Name]
        API_KEY_NOT_FOUND: _ClassVar[ErrorReason.Name]
        BACKEND_NOT_FOUND: _ClassVar[ErrorReason.Name]
        CIRCUIT_NOT_FOUND: _ClassVar[ErrorReason.Name]
        JOB_NOT_FOUND: _ClassVar[ErrorReason.Name]
        IDEMPOTENCY_KEY_REUSED: _ClassVar[ErrorReason.Name]
        RATE_LIMITED: _ClassVar[ErrorReason.Name]
        TOO_MANY_STREAMS: _ClassVar[ErrorReason.Name]
        REQUEST_TIMEOUT: _ClassVar[ErrorReason.Name]
        UNAVAILABLE: _ClassVar[ErrorReason.Name]
        EXAMINERS_BUSY: _ClassVar[ErrorReason.Name]
        SERVER_DRAINING: _ClassVar[ErrorReason.Name]
        STORE_CLOSED: _ClassVar[ErrorReason.Name]
        STORE_UNAVAILABLE: _ClassVar[ErrorReason.Name]
        JWKS_UNAVAILABLE: _ClassVar[ErrorReason.Name]
        DISK_FULL: _ClassVar[ErrorReason.Name]
        STORE_IO_ERROR: _ClassVar[ErrorReason.Name]
        STORE_GONE: _ClassVar[ErrorReason.Name]
        ENGINE_UNAVAILABLE: _ClassVar[ErrorReason.Name]
        INTERNAL: _ClassVar[ErrorReason.Name]
        STORE_DAMAGED: _ClassVar[ErrorReason.Name]
    UNSPECIFIED: ErrorReason.Name
    INVALID_ARGUMENT: ErrorReason.Name
    INVALID_CIRCUIT: ErrorReason.Name
    INVALID_CURSOR: ErrorReason.Name
    UNKNOWN_BACKEND: ErrorReason.Name
    BACKEND_CANNOT_RUN: ErrorReason.Name
    NO_BACKEND_FITS: ErrorReason.Name
    RUN_TOO_LONG: ErrorReason.Name
    CODE_NOT_UNDERSTOOD: ErrorReason.Name
    RESULT_TOO_LARGE: ErrorReason.Name
    BACKEND_OFFLINE: ErrorReason.Name
    JOB_HAS_NO_RESULT: ErrorReason.Name
    JOB_ALREADY_FINISHED: ErrorReason.Name
    HISTORY_REMOVED: ErrorReason.Name
    RESULT_REMOVED: ErrorReason.Name
    CIRCUIT_REMOVED: ErrorReason.Name
    CREDENTIALS_MISSING: ErrorReason.Name
    UNKNOWN_SCHEME: ErrorReason.Name
    INVALID_TOKEN: ErrorReason.Name
    TOKEN_EXPIRED: ErrorReason.Name
    INVALID_API_KEY: ErrorReason.Name
    INVALID_TICKET: ErrorReason.Name
    TICKET_EXPIRED: ErrorReason.Name
    INVALID_SIGN_IN_CODE: ErrorReason.Name
    PERMISSION_DENIED: ErrorReason.Name
    JWT_REQUIRED: ErrorReason.Name
    QUOTA_EXCEEDED: ErrorReason.Name
    ACCOUNT_NOT_FOUND: ErrorReason.Name
    API_KEY_NOT_FOUND: ErrorReason.Name
    BACKEND_NOT_FOUND: ErrorReason.Name
    CIRCUIT_NOT_FOUND: ErrorReason.Name
    JOB_NOT_FOUND: ErrorReason.Name
    IDEMPOTENCY_KEY_REUSED: ErrorReason.Name
    RATE_LIMITED: ErrorReason.Name
    TOO_MANY_STREAMS: ErrorReason.Name
    REQUEST_TIMEOUT: ErrorReason.Name
    UNAVAILABLE: ErrorReason.Name
    EXAMINERS_BUSY: ErrorReason.Name
    SERVER_DRAINING: ErrorReason.Name
    STORE_CLOSED: ErrorReason.Name
    STORE_UNAVAILABLE: ErrorReason.Name
    JWKS_UNAVAILABLE: ErrorReason.Name
    DISK_FULL: ErrorReason.Name
    STORE_IO_ERROR: ErrorReason.Name
    STORE_GONE: ErrorReason.Name
    ENGINE_UNAVAILABLE: ErrorReason.Name
    INTERNAL: ErrorReason.Name
    STORE_DAMAGED: ErrorReason.Name
    def __init__(self) -> None: ...
