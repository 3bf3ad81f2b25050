"""Whether a recording comes from a virtual rig: by our tag, else by the calibration's notes."""

import json

import pytest

from genlock.recording import comes_from_virtual_rig


def calibration(notes: object) -> bytes:
    return json.dumps({"CalibrationInformation": {"Metadata": {"Notes": notes}}}).encode()


@pytest.mark.parametrize(
    ("tags", "raw", "expected"),
    [
        ({"GENLOCK_BACKEND": "sim"}, None, True),
        ({"GENLOCK_BACKEND": "native"}, calibration("simulated by genlock, seed 0"), True),
        ({}, calibration("Simulated") + b"\0", True),
        ({}, calibration(""), False),
        ({}, calibration(7), False),
        ({"GENLOCK_BACKEND": "native"}, None, False),
        ({}, b'{"CalibrationInformation": 3}', False),
        ({}, b"not json", False),
        ({}, b"\xff\xfe", False),
    ],
)
def test_tag_or_notes_tell(tags, raw, expected):
    assert comes_from_virtual_rig(tags, raw) is expected
