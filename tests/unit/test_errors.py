"""What errors say to a person."""

import errno
import os

import pytest

from genlock.cli.outcome import outcome_of_error
from genlock.errors import CaptureTimeoutError, DeviceError, RecordingError, RigError

GONE = os.strerror(errno.ENOENT)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(errno.ENOENT, GONE, "/takes/one.mkv"), f"/takes/one.mkv: {GONE}"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("the disk is gone"), "the disk is gone"),
        (DeviceError("7", "unplugged"), "unplugged"),
        (CaptureTimeoutError("7", "no capture"), "no capture"),
        (RecordingError("one.mkv", "cannot be read"), "one.mkv: cannot be read"),
    ],
)
def test_the_line_of_a_device_holds_neither_its_serial_twice_nor_a_number_of_the_system(error: Exception, said: str):
    rig_error = RigError("two devices failed", {"7": error})
    assert str(rig_error) == f"two devices failed\n  7: {said}"
    answer = outcome_of_error(rig_error).json["error"]
    assert isinstance(answer, dict)
    assert answer["devices"] == {"7": said}
