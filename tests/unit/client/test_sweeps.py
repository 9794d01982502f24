"""The pages of a sweep are joined to one result."""

import time

from quantcloud.client.messages.sweeps import append
from thequantcloud.v1 import sweep_pb2


def page(number: int, shots: bytes) -> sweep_pb2.SweepResult:
    registers = [
        sweep_pb2.PackedRegister(name="a", num_bits=8, data=shots),
        sweep_pb2.PackedRegister(name="b", num_bits=4, data=shots[:1]),
    ]
    point = sweep_pb2.SweepPoint(expectation_values=[number])
    return sweep_pb2.SweepResult(points=[point], registers=registers, points_done=number + 1)


def test_pages_are_joined_in_order():
    for first in (sweep_pb2.SweepResult(), page(0, b"first")):
        whole = sweep_pb2.SweepResult()
        whole.CopyFrom(first)
        append(whole, [page(number, b"<%d>" % number) for number in (1, 2, 3)])
        known = len(first.points)
        assert [each.expectation_values[0] for each in whole.points] == [0, 1, 2, 3][1 - known :]
        assert whole.points_done == 4
        data = {each.name: (each.num_bits, each.data) for each in whole.registers}
        assert data == {"a": (8, b"first" * known + b"<1><2><3>"), "b": (4, b"f" * known + b"<<<")}
        append(whole, [])
        assert whole.registers[0].data == data["a"][1]


def test_many_pages_take_little_more_than_their_bytes():
    pages = [page(number, bytes(64 << 10)) for number in range(256)]
    whole = sweep_pb2.SweepResult()
    began = time.process_time()
    append(whole, pages)
    # A copy for each page of what came before would be 2 GiB.
    assert time.process_time() - began < 0.3
    assert len(whole.registers[0].data) == 256 * (64 << 10)
