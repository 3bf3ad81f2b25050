from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genlock.findings import Finding, Severity
from genlock.testing.stamps import rig_configs
from genlock.verify import Verdict, evidence_from_reader, verify_take
from genlock.verify.evidence import TakeEvidence

CONFIG = next(iter(rig_configs(1).values()))
DAMAGE = Finding(
    "recording.truncated", Severity.WARNING, "000000000001.mkv", "the file ends inside a cluster", "Use what is there."
)


def reader(**changed: object) -> SimpleNamespace:
    """What ``RecordingReader`` answers."""
    stamps = SimpleNamespace(
        color_usec=np.array([1000, -1, -1, 4000]),
        depth_usec=np.array([1100, 2100, -1, -1]),
        arrival_nsec=np.array([1, 2, 3, -1]),
    )
    answers = {
        "path": Path("/take/000000000001.mkv"),
        "config": CONFIG,
        "serial": "000000000001",
        "tags": {},
        "calibration": None,
        "findings": (DAMAGE,),
        "stamps": lambda: stamps,
        "exposures_usec": lambda: np.array([8330, 0, 0, 8330]),
        "image_usec": lambda track: np.array([0, 33_000]),
    }
    return SimpleNamespace(**(answers | changed))


def calibration(notes: object) -> bytes:
    return json.dumps({"CalibrationInformation": {"Metadata": {"Notes": notes}}}).encode() + b"\0"


def test_captures_without_any_image_are_left_out() -> None:
    evidence = evidence_from_reader(reader())
    assert evidence.color_usec.tolist() == [1000, -1, 4000]
    assert evidence.depth_usec.tolist() == [1100, 2100, -1]
    assert evidence.arrival_nsec.tolist() == [1, 2, -1]


def test_damage_comes_along_into_the_report() -> None:
    evidence = evidence_from_reader(reader())
    assert evidence.findings == (DAMAGE,)
    assert DAMAGE in verify_take(TakeEvidence((evidence,))).findings


def test_files_of_a_session_are_told_apart_by_their_folder() -> None:
    evidence = evidence_from_reader(reader(path=Path("/take/devices/000000000001/e01-p001.mkv")))
    assert evidence.source == "000000000001/e01-p001.mkv"
    assert [finding.where for finding in evidence.findings] == ["000000000001/e01-p001.mkv"]


def test_a_recording_without_serial_goes_by_its_name_and_says_so() -> None:
    evidence = evidence_from_reader(reader(serial=None))
    assert (evidence.serial, evidence.source) == ("000000000001", "000000000001.mkv")
    assert [f.code for f in evidence.findings] == ["recording.truncated", "verify.no_serial"]


@pytest.mark.parametrize(
    ("tags", "blob", "is_simulated"),
    [
        ({}, None, False),
        ({"GENLOCK_BACKEND": "sim"}, None, True),
        ({"GENLOCK_BACKEND": "native"}, calibration(""), False),
        ({}, calibration("simulated by genlock"), True),
        ({}, calibration("PV0_max_radius_invalid"), False),
        ({}, calibration(None), False),
        ({}, b"no json", False),
        ({}, b"\xff\xfe", False),
        ({}, b"[]", False),
    ],
)
def test_the_tag_or_the_calibration_tells_that_a_recording_is_simulated(
    tags: dict[str, str], blob: bytes | None, is_simulated: bool
) -> None:
    assert evidence_from_reader(reader(tags=tags, calibration=blob)).is_simulated is is_simulated


def shared(name: str) -> Path:
    path = Path(__file__).parents[4] / "shared" / "data" / "k4a" / name
    if not path.exists():
        pytest.skip(f"{path} is not here; it is a recording that is not part of this repository")
    return path


def test_two_copies_of_one_real_capture_are_shown_and_not_judged() -> None:
    from genlock.recording import RecordingReader

    with (
        RecordingReader(shared("sdk_master.mkv")) as master,
        RecordingReader(shared("sdk_subordinate_160.mkv")) as subordinate,
    ):
        evidence = TakeEvidence((evidence_from_reader(subordinate), evidence_from_reader(master)))
    report = verify_take(evidence)
    assert report.verdict is Verdict.NOT_JUDGED
    assert report.sets.expected == 1
    device = report.devices[1]
    assert device.color is not None
    # The subordinate's color is the master's, and its delay says 160 us: 14 ticks, 155.6 us.
    assert device.color.median_usec == pytest.approx(-1400 / 9)
