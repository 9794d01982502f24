from google.api import field_behavior_pb2 as _field_behavior_pb2
from thequantcloud.v1 import limits_pb2 as _limits_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ParameterValues(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class Observable(_message.Message):
    __slots__ = ("terms",)
    TERMS_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedCompositeFieldContainer[Term]
    def __init__(self, terms: _Optional[_Iterable[_Union[Term, _Mapping]]] = ...) -> None: ...

class Term(_message.Message):
    __slots__ = ("pauli", "sparse", "projector", "coefficient")
    PAULI_FIELD_NUMBER: _ClassVar[int]
    SPARSE_FIELD_NUMBER: _ClassVar[int]
    PROJECTOR_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_FIELD_NUMBER: _ClassVar[int]
    pauli: str
    sparse: str
    projector: str
    coefficient: float
    def __init__(self, pauli: _Optional[str] = ..., sparse: _Optional[str] = ..., projector: _Optional[str] = ..., coefficient: _Optional[float] = ...) -> None: ...

class Pairing(_message.Message):
    __slots__ = ()
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        unspecified: _ClassVar[Pairing.Mode]
        outer: _ClassVar[Pairing.Mode]
        zip: _ClassVar[Pairing.Mode]
    unspecified: Pairing.Mode
    outer: Pairing.Mode
    zip: Pairing.Mode
    def __init__(self) -> None: ...

class SweepRequest(_message.Message):
    __slots__ = ("parameters", "observables", "pairing", "precision", "gradient", "variances", "probabilities", "packed")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ParameterValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ParameterValues, _Mapping]] = ...) -> None: ...
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    OBSERVABLES_FIELD_NUMBER: _ClassVar[int]
    PAIRING_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_FIELD_NUMBER: _ClassVar[int]
    VARIANCES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.MessageMap[str, ParameterValues]
    observables: _containers.RepeatedCompositeFieldContainer[Observable]
    pairing: Pairing.Mode
    precision: float
    gradient: bool
    variances: bool
    probabilities: bool
    packed: bool
    def __init__(self, parameters: _Optional[_Mapping[str, ParameterValues]] = ..., observables: _Optional[_Iterable[_Union[Observable, _Mapping]]] = ..., pairing: _Optional[_Union[Pairing.Mode, str]] = ..., precision: _Optional[float] = ..., gradient: _Optional[bool] = ..., variances: _Optional[bool] = ..., probabilities: _Optional[bool] = ..., packed: _Optional[bool] = ...) -> None: ...

class SweepResult(_message.Message):
    __slots__ = ("points_total", "points_done", "point_offset", "points", "registers")
    POINTS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    POINTS_DONE_FIELD_NUMBER: _ClassVar[int]
    POINT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    POINTS_FIELD_NUMBER: _ClassVar[int]
    REGISTERS_FIELD_NUMBER: _ClassVar[int]
    points_total: int
    points_done: int
    point_offset: int
    points: _containers.RepeatedCompositeFieldContainer[SweepPoint]
    registers: _containers.RepeatedCompositeFieldContainer[PackedRegister]
    def __init__(self, points_total: _Optional[int] = ..., points_done: _Optional[int] = ..., point_offset: _Optional[int] = ..., points: _Optional[_Iterable[_Union[SweepPoint, _Mapping]]] = ..., registers: _Optional[_Iterable[_Union[PackedRegister, _Mapping]]] = ...) -> None: ...

class SweepPoint(_message.Message):
    __slots__ = ("counts", "expectation_values", "standard_errors", "gradients", "variances", "probabilities")
    class CountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    EXPECTATION_VALUES_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERRORS_FIELD_NUMBER: _ClassVar[int]
    GRADIENTS_FIELD_NUMBER: _ClassVar[int]
    VARIANCES_FIELD_NUMBER: _ClassVar[int]
    PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.ScalarMap[str, int]
    expectation_values: _containers.RepeatedScalarFieldContainer[float]
    standard_errors: _containers.RepeatedScalarFieldContainer[float]
    gradients: _containers.RepeatedCompositeFieldContainer[Gradient]
    variances: _containers.RepeatedScalarFieldContainer[float]
    probabilities: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, counts: _Optional[_Mapping[str, int]] = ..., expectation_values: _Optional[_Iterable[float]] = ..., standard_errors: _Optional[_Iterable[float]] = ..., gradients: _Optional[_Iterable[_Union[Gradient, _Mapping]]] = ..., variances: _Optional[_Iterable[float]] = ..., probabilities: _Optional[_Iterable[float]] = ...) -> None: ...

class Gradient(_message.Message):
    __slots__ = ("parameters",)
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: ParameterValues
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[ParameterValues, _Mapping]] = ...) -> None: ...
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    parameters: _containers.MessageMap[str, ParameterValues]
    def __init__(self, parameters: _Optional[_Mapping[str, ParameterValues]] = ...) -> None: ...

class PackedRegister(_message.Message):
    __slots__ = ("name", "num_bits", "data")
    NAME_FIELD_NUMBER: _ClassVar[int]
    NUM_BITS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    name: str
    num_bits: int
    data: bytes
    def __init__(self, name: _Optional[str] = ..., num_bits: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...
