"""Recordings cut into parts while they grow: nothing is lost, times go on, genlock reads the parts as one."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.capture import Capture, CaptureSource
from genlock.plan import make_plan
from genlock.recording import (
    RecordedSession,
    Recorder,
    RecordingReader,
    SessionFolder,
    SessionState,
    SplitRule,
    parse_split_rule,
)
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from support.recordings import SMALL_CONFIG, assert_same_captures, imu_values, make_capture, make_captures, make_imu

SERIAL = "000000000001"


def source(serial: str = SERIAL) -> CaptureSource:
    return CaptureSource(serial, SMALL_CONFIG, True, b"{}", "1.6.110", "1.6.79")


def make_folder(path: Path, devices: int = 1) -> SessionFolder:
    toml = rig_toml(devices)
    plan = make_plan(parse_rig(toml))
    return SessionFolder.create(path, plan=plan, rig_toml=toml, backend="sim", provenance={})


def record(folder: SessionFolder, captures: Sequence[Capture], split: SplitRule, imu_to_usec: int = 0) -> Recorder:
    recorder = Recorder(
        {serial: files[0] for serial, files in folder.recordings().items()},
        split=split,
        next_part=folder.next_part,
        on_part=folder.add_part,
    )
    recorder.open([source()])
    imu = make_imu(990_000, max(0, imu_to_usec - 990_000) // 600)
    for capture in captures:
        recorder.on_capture(replace(capture, serial=SERIAL))
        first_usec = capture.images[0].device_timestamp_usec
        recorder.on_imu(SERIAL, [s for s in imu if first_usec - 33_333 <= s.acc_timestamp_usec < first_usec])
    recorder.close()
    folder.finish(SessionState.COMPLETED, {})
    return recorder


@pytest.mark.parametrize(
    ("text", "usec", "size_bytes"),
    [
        ("30min", 1_800_000_000, None),
        ("90s", 90_000_000, None),
        ("1.5h", 5_400_000_000, None),
        ("4GB", None, 4_000_000_000),
        ("500 mb", None, 500_000_000),
    ],
)
def test_a_rule_is_a_time_or_a_size(text: str, usec: int | None, size_bytes: int | None):
    assert parse_split_rule(text) == SplitRule(usec, size_bytes)


@pytest.mark.parametrize("text", ["", "30", "min", "-3s", "0s", "4 GiB", "1e3s", "3s 4s", "9" * 400 + "h"])
def test_anything_else_is_refused_and_told(text: str):
    with pytest.raises(ValueError, match="30min"):
        parse_split_rule(text)


def test_parts_hold_every_capture_and_sample_and_begin_at_multiples_of_the_time(tmp_path: Path):
    folder = make_folder(tmp_path / "take")
    captures = make_captures(SMALL_CONFIG, 40)
    recorder = record(folder, captures, SplitRule(usec=500_000), imu_to_usec=2_000_000)
    files = folder.recordings()[SERIAL]
    assert [path.name for path in files] == ["e01-p001.mkv", "e01-p002.mkv", "e01-p003.mkv"]
    assert [summary.path for summary in recorder.parts[SERIAL]] == list(files)
    found, samples, firsts = [], [], []
    for path in files:
        with RecordingReader(path) as reader:
            assert reader.start_offset_usec == recorder.parts[SERIAL][0].start_offset_usec
            assert reader.findings == ()
            found += list(reader.captures())
            samples += list(reader.imu())
            firsts.append(reader.image_usec(next(iter(reader.roles)))[0] // 500_000)
    assert_same_captures(found, captures)
    assert firsts == [2, 3, 4]
    times = [sample.acc_timestamp_usec for sample in samples]
    assert times == [s.acc_timestamp_usec for s in make_imu(990_000, len(times))]
    assert imu_values(samples)[-1][0] > 1_900_000


def test_no_part_grows_past_its_size(tmp_path: Path):
    folder = make_folder(tmp_path / "take")
    captures = make_captures(SMALL_CONFIG, 40)
    record(folder, captures, SplitRule(size_bytes=4_000_000))
    sizes = [path.stat().st_size for path in folder.recordings()[SERIAL]]
    assert len(sizes) >= 4
    assert max(sizes) <= 4_000_000
    assert min(sizes[:-1]) > 2_000_000  # and parts are not cut for nothing


def test_a_session_of_parts_and_epochs_is_read_as_one(tmp_path: Path):
    folder = make_folder(tmp_path / "take")
    captures = make_captures(SMALL_CONFIG, 30)
    record(folder, captures[:20], SplitRule(usec=300_000))
    folder.add_epoch()
    second = Recorder({SERIAL: folder.epochs()[2][SERIAL][0]})
    second.open([source()])
    for capture in captures[20:]:
        second.on_capture(replace(capture, serial=SERIAL))
    second.close()
    with RecordedSession(folder.path) as session:
        sets = list(session)
        assert [one.index for one in sets] == [*range(20), *range(10)]
        assert_same_captures([one.captures[SERIAL] for one in sets], captures)
        assert [one.captures[SERIAL].index for one in sets] == [*range(20), *range(10)]
        assert len(list(session.epoch(2))) == 10
        with pytest.raises(KeyError):
            session.epoch(3)


def test_a_part_that_cannot_be_begun_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = make_folder(tmp_path / "take")

    def refused(serial: str) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "next_part", refused)
    captures = make_captures(SMALL_CONFIG, 40)
    record(folder, captures, SplitRule(usec=500_000))
    (path,) = folder.recordings()[SERIAL]
    with RecordingReader(path) as reader:
        assert_same_captures(list(reader.captures()), captures)


def test_the_session_file_names_every_part_at_once(tmp_path: Path):
    """So that a killed take is found whole."""
    folder = make_folder(tmp_path / "take")
    recorder = Recorder(
        {SERIAL: folder.recordings()[SERIAL][0]},
        split=SplitRule(usec=100_000),
        next_part=folder.next_part,
        on_part=folder.add_part,
    )
    recorder.open([source()])
    for index in range(8):
        recorder.on_capture(replace(make_capture(SMALL_CONFIG, index, index * 33_333), serial=SERIAL))
    named = json.loads((folder.path / "session.json").read_text())["recordings"][SERIAL]
    assert named == [f"devices/{SERIAL}/e01-p{part:03d}.mkv" for part in (1, 2, 3)]
    assert all((folder.path / name).exists() for name in named)
    recorder.close()
