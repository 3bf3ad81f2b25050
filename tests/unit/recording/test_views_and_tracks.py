"""Views without copies, tracks of one's own, inertial samples from a time on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genlock.recording import CustomTrack, RecordingReader, RecordingWriter
from support.recordings import CONFIGS, SMALL_CONFIG, make_captures, make_imu, write_recording


@pytest.mark.parametrize("name", ["standalone", "passive_ir", "nv12", "yuy2", "bgra"])
def test_views_show_the_same_pixels_without_a_copy(tmp_path: Path, name: str):
    path = tmp_path / "take.mkv"
    captures = make_captures(CONFIGS[name], 4)
    write_recording(path, CONFIGS[name], captures)
    with RecordingReader(path) as reader:
        views = list(reader.views())
        assert len(list(reader.views(captures[2].images[0].device_timestamp_usec))) == 2
    for view, capture in zip(views, captures, strict=True):  # good after close
        for seen, written in zip(view.images, capture.images, strict=True):
            assert np.array_equal(seen.pixels, written.pixels)
            assert seen.device_timestamp_usec == written.device_timestamp_usec
            assert not seen.pixels.flags.writeable
            assert not seen.pixels.flags.owndata


def open_writer(path: Path, *tracks: CustomTrack) -> RecordingWriter:
    return RecordingWriter(
        path,
        SMALL_CONFIG,
        serial="1",
        calibration=None,
        color_firmware=None,
        depth_firmware=None,
        custom_tracks=tracks,
    )


def test_a_track_of_ones_own_is_kept_beside_the_images(tmp_path: Path):
    path = tmp_path / "take.mkv"
    with open_writer(path, CustomTrack("TIMECODE", "S_STUDIO/TIMECODE", b"ltc")) as writer:
        for capture in make_captures(SMALL_CONFIG, 5):
            writer.write_capture(capture)
            writer.write_block("TIMECODE", capture.images[0].device_timestamp_usec, b"01:02:03:%02d" % capture.index)
        writer.write_imu(make_imu(1_000_000, 100))
        with pytest.raises(ValueError, match="no custom track"):
            writer.write_block("IMU", 0, b"")
    with RecordingReader(path) as reader:
        blocks = list(reader.blocks("TIMECODE"))
        assert [block.payload for block in blocks] == [b"01:02:03:%02d" % index for index in range(5)]
        assert [block.usec for block in blocks] == reader.stamps().color_usec.tolist()
        assert [b.payload for b in reader.blocks("TIMECODE", blocks[3].usec)] == [blocks[3].payload, blocks[4].payload]
        assert reader.tracks[-1].codec_private == b"ltc"


@pytest.mark.parametrize("name", ["COLOR", "GENLOCK_STAMPS", "lower", "TWO WORDS"])
def test_a_track_name_that_is_taken_or_not_allowed_is_refused(tmp_path: Path, name: str):
    with pytest.raises(ValueError, match="name of its own"):
        open_writer(tmp_path / "take.mkv", CustomTrack(name, "S_X"))


def test_inertial_samples_begin_at_the_time_that_is_asked_for(tmp_path: Path):
    path = tmp_path / "take.mkv"
    imu = make_imu(990_000, 1500)
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 30), imu)
    with RecordingReader(path) as reader:
        for number in (0, 1, 255, 256, 777, 1499):
            asked_usec = imu[number].acc_timestamp_usec
            assert [s.acc_timestamp_usec for s in reader.imu(asked_usec)][:3] == [
                s.acc_timestamp_usec for s in imu[number : number + 3]
            ]
        assert list(reader.imu(imu[-1].acc_timestamp_usec + 1)) == []


def test_a_capture_without_images_changes_nothing(tmp_path: Path):
    with open_writer(tmp_path / "take.mkv") as writer:
        (capture,) = make_captures(SMALL_CONFIG, 1)
        writer.write_capture(replace(capture, color=None, depth=None, ir=None))
        assert writer.close().captures == 0
