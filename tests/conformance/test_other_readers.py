"""What genlock writes, read by programs that have nothing to do with genlock or Microsoft: PyAV and openk4a."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import simplejpeg

from genlock.capture import Capture, Image
from genlock.k4a import ImageFormat
from support.recordings import CONFIGS, SHARED, make_captures, make_imu, write_recording


@pytest.mark.parametrize("name", CONFIGS)
def test_pyav_reads_every_image(tmp_path: Path, name: str) -> None:
    captures = make_captures(CONFIGS[name], 4)
    summary = write_recording(tmp_path / "take.mkv", CONFIGS[name], captures, make_imu(990_000, 500))
    with av.open(tmp_path / "take.mkv") as container:
        assert container.duration == summary.duration_usec
        index_by_title = {stream.metadata.get("title"): stream.index for stream in container.streams}
        payloads: dict[int, list[bytes]] = {}
        times_usec: dict[int, list[int]] = {}
        for packet in container.demux():
            if packet.size:
                payloads.setdefault(packet.stream.index, []).append(bytes(packet))
                times_usec.setdefault(packet.stream.index, []).append(round(packet.pts * packet.time_base * 1_000_000))
    for title, images in _images_by_track(captures).items():
        index = index_by_title[title]
        assert payloads[index] == [_stored(image) for image in images]
        assert times_usec[index] == [image.device_timestamp_usec - summary.start_offset_usec for image in images]


def _images_by_track(captures: list[Capture]) -> dict[str, list[Image]]:
    tracks = {
        "COLOR": [capture.color for capture in captures],
        "DEPTH": [capture.depth for capture in captures],
        "IR": [capture.ir for capture in captures],
    }
    return {title: [image for image in images if image] for title, images in tracks.items() if images[0] is not None}


def _stored(image: Image) -> bytes:
    is_gray16 = image.image_format in (ImageFormat.DEPTH16, ImageFormat.IR16)
    return image.pixels.astype(">u2").tobytes() if is_gray16 else image.pixels.tobytes()


@pytest.mark.timeout(60)
def test_openk4a_reads_images_and_calibration(tmp_path: Path) -> None:
    if not (shutil.which("ffmpeg") and shutil.which("ffprobe")):
        pytest.skip("openk4a runs the programs ffmpeg and ffprobe; they are not installed here")
    openk4a = pytest.importorskip("openk4a.playback", reason="openk4a does not load here", exc_type=ImportError)
    calibration_file = SHARED / "calibration.json"
    if not calibration_file.exists():
        pytest.skip(f"{calibration_file} is not here")
    config = CONFIGS["master_depth_first"]
    captures = make_captures(config, 3)
    path = tmp_path / "take.mkv"
    write_recording(path, config, captures, calibration=calibration_file.read_bytes().rstrip(b"\0"))
    with openk4a.OpenK4APlayback(path) as playback:
        assert playback.depth_mode.name == "NFOV_UNBINNED"
        assert playback.depth_calibration.intrinsics.fx == pytest.approx(504.607635, abs=1e-3)
        found = playback.read()
        while playback.read() is not None:
            pass  # its close waits for ever while frames are left
    first = captures[0]
    assert first.color and first.depth and first.ir
    assert np.array_equal(found.depth, first.depth.pixels)
    assert np.array_equal(found.ir, first.ir.pixels)
    picture = simplejpeg.decode_jpeg(first.color.pixels.tobytes(), colorspace="BGR")
    # Two JPEG decoders and a color conversion apart: the flat picture stays flat within a few steps.
    assert np.mean(np.abs(found.color.astype(int) - picture.astype(int))) < 4
