import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genlock.errors import RecordingError
from genlock.recording import RecordingReader, RecordingWriter, TrackName
from support.recordings import (
    CONFIGS,
    SERIAL,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_calibration,
    make_capture,
    make_captures,
    make_imu,
    write_recording,
)

PERIOD_USEC = SMALL_CONFIG.camera_fps.period_usec


@pytest.mark.parametrize("name", CONFIGS)
def test_every_kind_of_recording_reads_back(tmp_path: Path, name: str) -> None:
    config, captures, imu = CONFIGS[name], make_captures(CONFIGS[name], 5), make_imu(990_000, 300)
    write_recording(
        tmp_path / "take.mkv", config, captures, imu, tags={"STUDIO": "two words", "GENLOCK_BACKEND": "sim"}
    )
    with RecordingReader(tmp_path / "take.mkv") as reader:
        assert (reader.config, reader.serial) == (config, SERIAL)
        assert reader.calibration == make_calibration()
        assert reader.tags["STUDIO"] == "two words"
        assert reader.findings == ()
        found = list(reader.captures())
        assert_same_captures(found, captures)
        for one, other in zip(found, captures, strict=True):
            assert [i.pixels.shape for i in one.images] == [i.pixels.shape for i in other.images]
            assert [i.pixels.dtype for i in one.images] == [i.pixels.dtype for i in other.images]
        assert imu_values(list(reader.imu())) == imu_values(imu)


def test_the_stamps_track_brings_back_what_the_format_leaves_out(tmp_path: Path) -> None:
    capture = make_capture(SMALL_CONFIG, 0, 1_000_000)
    assert capture.color and capture.depth
    color = replace(capture.color, exposure_usec=8330, white_balance_k=4500, iso_speed=100)
    capture = replace(capture, color=color, ir=None, temperature_c=33.25)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, [capture])
    with RecordingReader(tmp_path / "take.mkv") as reader:
        (found,) = reader.captures()
    assert found.color and found.depth and found.ir is None
    assert (found.color.exposure_usec, found.color.white_balance_k, found.color.iso_speed) == (8330, 4500, 100)
    assert found.color.system_timestamp_nsec == capture.color.system_timestamp_nsec
    assert found.depth.system_timestamp_nsec == capture.depth.system_timestamp_nsec
    assert found.temperature_c == 33.25
    assert found.stamp.arrival_nsec == capture.stamp.arrival_nsec


def test_stamps_are_those_of_the_captures(tmp_path: Path) -> None:
    captures = [
        make_capture(SMALL_CONFIG, index, 1_000_000 + index * PERIOD_USEC, color=index % 4 != 1, depth=index % 3 != 2)
        for index in range(12)
    ]
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures)
    with RecordingReader(tmp_path / "take.mkv") as reader:
        stamps = reader.stamps()
        expected = [capture.stamp for capture in reader.captures()]
        assert reader.image_usec(TrackName.COLOR).tolist() == [
            s.color_usec for s in expected if s.color_usec is not None
        ]
        assert reader.image_usec(TrackName.IR).tolist() == [s.depth_usec for s in expected if s.depth_usec is not None]
        assert len(reader.image_usec(TrackName.IMU)) == 0
    none_as_missing = [
        (s.color_usec if s.color_usec is not None else -1, s.depth_usec if s.depth_usec is not None else -1)
        for s in expected
    ]
    assert list(zip(stamps.color_usec.tolist(), stamps.depth_usec.tolist(), strict=True)) == none_as_missing
    assert stamps.arrival_nsec.tolist() == [s.arrival_nsec for s in expected]


def test_images_belong_to_the_caller(tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 3)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures)
    with RecordingReader(tmp_path / "take.mkv") as reader:
        found = list(reader.captures())
        for image in found[0].images:
            image.pixels[:] = 0
        assert_same_captures(found[1:], captures[1:])
        assert_same_captures(list(reader.captures()), captures)


def test_a_recording_may_be_read_while_it_grows(tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 6)
    with RecordingWriter(
        tmp_path / "take.mkv", SMALL_CONFIG, serial=None, calibration=None, color_firmware=None, depth_firmware=None
    ) as writer:
        for count, capture in enumerate(captures, 1):
            writer.write_capture(capture)
            writer.flush()
            with RecordingReader(tmp_path / "take.mkv") as reader:
                assert_same_captures(list(reader.captures()), captures[:count])
                assert [finding.code for finding in reader.findings] == ["recording.unfinished"]


def test_without_pread_the_reader_reads_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures, imu = make_captures(SMALL_CONFIG, 3), make_imu(999_000, 100)
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, captures, imu)
    monkeypatch.delattr(os, "preadv", raising=False)
    with RecordingReader(tmp_path / "take.mkv") as reader:
        assert_same_captures(list(reader.captures()), captures)
        assert imu_values(list(reader.imu())) == imu_values(imu)


def test_a_recording_of_another_program_has_no_arrival_times(tmp_path: Path) -> None:
    captures = make_captures(SMALL_CONFIG, 3)
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, captures)
    # The track under another name is a custom track that nobody knows.
    path.write_bytes(path.read_bytes().replace(b"GENLOCK_STAMPS", b"SOMETHING_ELSE"))
    with RecordingReader(path) as reader:
        assert reader.stamps().arrival_nsec.tolist() == [-1, -1, -1]
        found = list(reader.captures())
    assert_same_captures(found, captures)
    assert found[0].stamp.arrival_nsec is None
    assert math.isnan(found[0].temperature_c)


# ---- what cannot be read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7 and so on", "is no Matroska file"),
        (b"\x1a\x45\xdf\xa3", "header is damaged or cut"),
        (bytes.fromhex("1a45dfa3874282847765626d") + b"\x18\x53\x80\x67\x80", "'webm'"),
        (bytes.fromhex("1a45dfa38b428288") + b"matroska" + b"\x18\x53\x80\x67\x80", "has no tracks"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "take.mkv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        RecordingReader(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.mkv", tmp_path):
        with pytest.raises(RecordingError, match=r"cannot be opened|no Matroska"):
            RecordingReader(path)


def test_a_file_cut_inside_its_header_is_refused(tmp_path: Path) -> None:
    write_recording(tmp_path / "take.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 1))
    content = (tmp_path / "take.mkv").read_bytes()
    for size in (20, 60, 1_100, 1_200):
        (tmp_path / "cut.mkv").write_bytes(content[:size])
        with pytest.raises(RecordingError):
            RecordingReader(tmp_path / "cut.mkv")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"b16g", b"gray", "pixel format 'gray'"),
        (b"MJPG\0\0", b"H264\0\0", "pixel format 'H264'"),
        (b"NFOV_2X2BINNED", b"NFOV_3X3BINNED", "K4A_DEPTH_MODE"),
        (b"NFOV_2X2BINNED", b"WFOV_2X2BINNED", "means 512x512"),
        (b"STANDALONE", b"STANDALON?", "K4A_WIRED_SYNC_MODE"),
        (b"1000000000", b"1000000x00", "K4A_START_OFFSET_NS"),
    ],
)
def test_a_recording_that_playback_would_refuse_is_refused_with_the_reason(
    tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 1))
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    with pytest.raises(RecordingError, match=message):
        RecordingReader(path)


def test_old_names_of_tracks_and_modes_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "take.mkv"
    captures = make_captures(SMALL_CONFIG, 2)
    write_recording(path, SMALL_CONFIG, captures)
    content = path.read_bytes().replace(b"NFOV_2X2BINNED", b"NFOV_2x2BINNED")
    path.write_bytes(content)
    with RecordingReader(path) as reader:
        assert reader.config == SMALL_CONFIG
        assert_same_captures(list(reader.captures()), captures)


def test_little_endian_depth_of_early_recordings_is_understood(tmp_path: Path) -> None:
    path = tmp_path / "take.mkv"
    captures = make_captures(SMALL_CONFIG, 2)
    write_recording(path, SMALL_CONFIG, captures)
    content = path.read_bytes().replace(b"b16g", b"YUY2")
    path.write_bytes(content)
    with RecordingReader(path) as reader:
        found = list(reader.captures())
    assert found[1].depth and captures[1].depth
    assert np.array_equal(found[1].depth.pixels, captures[1].depth.pixels.byteswap())


def test_a_closed_reader_never_reads_another_file(tmp_path: Path) -> None:
    write_recording(tmp_path / "one.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 3))
    write_recording(tmp_path / "other.mkv", SMALL_CONFIG, make_captures(SMALL_CONFIG, 3, first_usec=9_000_000))
    with RecordingReader(str(tmp_path / "one.mkv")) as reader:  # a name will do as well as a path
        assert len(reader.stamps().color_usec) == 3
    with (tmp_path / "other.mkv").open("rb"), pytest.raises((RecordingError, ValueError)):  # the same number
        list(reader.captures())
