from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
ACCESS_FIELD_NUMBER: _ClassVar[int]
access: _descriptor.FieldDescriptor

class Access(_message.Message):
    __slots__ = ()
    class Rule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Access.Rule]
        anyone: _ClassVar[Access.Rule]
        account: _ClassVar[Access.Rule]
        jwt: _ClassVar[Access.Rule]
        ticket: _ClassVar[Access.Rule]
    unspecified: Access.Rule
    anyone: Access.Rule
    account: Access.Rule
    jwt: Access.Rule
    ticket: Access.Rule
    def __init__(self) -> None: ...
