"""A recorder killed at any moment leaves a file that every reader opens, and at most the last second is lost."""

import os
import random
import subprocess
import sys
import textwrap
from pathlib import Path

import av
import pytest

from conformance.sdk import Sdk
from genlock.recording import RecordingReader
from genlock.recording import muxer as muxer_module
from genlock.recording.output import OutputFile
from support.recordings import SMALL_CONFIG, assert_same_captures, make_captures, make_imu, write_recording

_RECORD_FOR_EVER = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from support.recordings import SMALL_CONFIG, IMU_STEP_USEC, make_captures, make_imu
    from genlock.recording import RecordingWriter

    captures = make_captures(SMALL_CONFIG, 1)
    image = captures[0]
    from dataclasses import replace
    with RecordingWriter(
        Path(sys.argv[1]), SMALL_CONFIG, serial=None, calibration=b"{}", color_firmware=None, depth_firmware=None
    ) as writer:
        print("ready", flush=True)
        period_usec = SMALL_CONFIG.camera_fps.period_usec
        index = 0
        while True:
            usec = 1_000_000 + index * period_usec
            def at(image):
                return replace(image, device_timestamp_usec=usec)
            writer.write_capture(
                replace(image, index=index, color=at(image.color), depth=at(image.depth), ir=at(image.ir))
            )
            writer.write_imu(make_imu(usec, period_usec // IMU_STEP_USEC))
            print(index, flush=True)  # handed over: this capture counts
            index += 1
""")


KILLS = int(os.environ.get("GENLOCK_KILLS", "12"))
"""How many moments are tried; 50 take about a minute."""


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_process_killed_at_a_random_moment_leaves_a_whole_file(sdk: Sdk, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "take.mkv"
    captures_before_the_kill = random.Random(seed).randrange(2, 400)
    process = subprocess.Popen(
        [sys.executable, "-c", _RECORD_FOR_EVER, str(path), str(Path(__file__).parents[1])],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(captures_before_the_kill):
            process.stdout.readline()
        process.kill()
        handed_over = captures_before_the_kill + len(process.stdout.read().splitlines())
    _check_file(sdk, path, at_least=handed_over - SMALL_CONFIG.camera_fps)


def _check_file(sdk: Sdk, path: Path, at_least: int) -> None:
    with RecordingReader(path) as reader:
        read = list(reader.captures())
        codes = {finding.code for finding in reader.findings}
    assert len(read) >= at_least
    # An empty file and a torn tail are what a kill may leave; damage is not.
    assert codes <= {"recording.unfinished", "recording.truncated", "recording.no_captures"}
    if read:
        with sdk.playback(path) as playback:
            assert_same_captures(list(playback.captures()), read)
        with av.open(path) as container:
            assert sum(1 for packet in container.demux(video=0) if packet.size) == len(read)


def test_every_prefix_of_every_write_is_a_file_that_all_readers_open_alike(
    sdk: Sdk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without luck: the file as it stands within and after each single write."""
    path = tmp_path / "take.mkv"
    snapshots: list[bytes] = []

    class Watched(OutputFile):
        def append(self, parts):  # type: ignore[no-untyped-def]
            before, added = path.read_bytes(), b"".join(bytes(part) for part in parts)
            cuts = {0, 1, 3, 4, 5, 11, 12, 17, 18, 30, len(added) // 2, len(added) - 1}
            snapshots.extend(before + added[:cut] for cut in sorted(cuts))
            return super().append(parts)

        def patch(self, *patches):  # type: ignore[no-untyped-def]
            for one in patches:
                super().patch(one)
                snapshots.append(path.read_bytes())

    monkeypatch.setattr(muxer_module, "OutputFile", Watched)
    captures = make_captures(SMALL_CONFIG, 6)
    write_recording(path, SMALL_CONFIG, captures, make_imu(990_000, 250))
    found = set()
    for snapshot in snapshots:
        (tmp_path / "cut.mkv").write_bytes(snapshot)
        if b"K4A_START_OFFSET_NS" not in snapshot:
            continue  # nothing was recorded yet
        with RecordingReader(tmp_path / "cut.mkv") as reader:
            stamps = reader.stamps()
        if len(stamps.color_usec):
            with sdk.playback(tmp_path / "cut.mkv") as playback:
                played = [capture.stamp.color_usec for capture in playback.captures()]
            assert played == stamps.color_usec.tolist()
        found.add(len(stamps.color_usec))
    assert found == set(range(len(captures) + 1))
