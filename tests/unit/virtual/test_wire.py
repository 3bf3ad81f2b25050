"""The control messages, byte by byte as ``csrc/protocol.h`` has them."""

import struct

import pytest

from genlock.virtual.wire import Operation, Reply, Request, pack_identity


def test_a_request_is_version_operation_and_ten_numbers():
    message = Request(Operation.CONTROL_SET, (0, 1, -5)).pack()
    assert message == struct.pack("<II10i", 1, 10, 0, 1, -5, *[0] * 7)
    assert Request.unpack(message).arguments[:3] == (0, 1, -5)


def test_a_question_of_ours_carries_json():
    request = Request(Operation.ADMINISTER, content={"cause": "device_dies:000000000001"})
    assert Request.unpack(request.pack()).content == request.content


@pytest.mark.parametrize(
    "message",
    [b"", b"\x01\0\0\0", struct.pack("<II10i", 2, 1, *[0] * 10), struct.pack("<II10i", 1, 55, *[0] * 10),
     Request(Operation.ADMINISTER, content={"a": 1}).pack()[:-1]],
    ids=["nothing", "too short", "another version", "no such operation", "cut json"],
)  # fmt: skip
def test_what_is_no_request_is_told_so(message):
    with pytest.raises(ValueError):
        Request.unpack(message)


def test_a_reply_is_a_result_and_seven_numbers():
    assert Reply(is_success=True, values=(1, 0)).pack() == struct.pack("<8i", 0, 1, 0, *[0] * 5)
    assert Reply(is_success=False).pack() == struct.pack("<8i", 1, *[0] * 7)
    assert Reply.unpack(Reply(is_success=True, values=(3,), content=b"x").pack()).content == b"x"


def test_the_identity_ends_with_the_calibration_and_its_nul():
    packed = pack_identity("000000000001", range(14), b"{}")
    serial, *numbers, size = struct.unpack_from("<32s14II", packed)
    assert (serial.rstrip(b"\0"), numbers, size) == (b"000000000001", list(range(14)), 3)
    assert packed.endswith(b"{}\0")
