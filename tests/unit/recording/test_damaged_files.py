"""Whatever happened to a file, reading it ends soon, in captures or in one clear error."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genlock.capture import Capture, Image
from genlock.errors import RecordingError
from genlock.k4a import ColorResolution, DeviceConfig, ImageFormat
from genlock.recording import RecordingReader, inspect_recording
from support.recordings import SHARED, make_imu, write_recording

CONFIG = DeviceConfig(color_resolution=ColorResolution.RES_720P)
PERIOD_USEC = CONFIG.camera_fps.period_usec
COUNT = 20


def tiny_captures() -> list[Capture]:
    return [
        Capture(
            "1",
            index,
            Image(
                ImageFormat.MJPG,
                1280,
                720,
                np.full(50, index, np.uint8),
                1_000_000 + index * PERIOD_USEC,
                0,
            ),
            None,
            None,
        )
        for index in range(COUNT)
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "take.mkv"
    write_recording(path, CONFIG, tiny_captures(), make_imu(1_000_000, COUNT * 55))
    return path.read_bytes()


@cache
def killed() -> bytes:
    path = SHARED / "killed_recorder.mkv"
    return path.read_bytes() if path.exists() else b""


def read_everything(path: Path) -> int:
    """Asks a recording all that can be asked; gives the number of captures."""
    with RecordingReader(path) as reader:
        stamps = reader.stamps()
        captures = sum(1 for _ in reader.captures())
        assert captures == len(stamps.color_usec)
        imu = sum(1 for _ in reader.imu())
        assert imu == len(reader.imu_usec())
        assert all(str(finding) for finding in reader.findings)
        assert reader.duration_usec >= 0
    inspection = inspect_recording(path)
    assert inspection.to_json()
    assert inspection.to_text()
    return captures


def codes(path: Path) -> list[str]:
    with RecordingReader(path) as reader:
        return [finding.code for finding in reader.findings]


# ---- cut anywhere ------------------------------------------------------------------------------------------------


def test_a_file_cut_anywhere_gives_every_capture_that_is_whole(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "cut.mkv"
    first_cluster = whole.index(b"\x1f\x43\xb6\x75", 1_000)
    # Where each image ends: its block's payload is 50 equal bytes.
    ends = [whole.index(bytes([index]) * 50, first_cluster) + 50 for index in range(COUNT)]
    for size in range(first_cluster, len(whole), 37):
        path.write_bytes(whole[:size])
        expected = sum(end <= size for end in ends)
        assert read_everything(path) == expected
        assert "recording.truncated" in codes(path)


# ---- damaged inside ----------------------------------------------------------------------------------------------


def test_damage_inside_costs_only_what_it_hits(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "damaged.mkv"
    at = whole.index(bytes([7]) * 50)
    path.write_bytes(whole[: at - 60] + bytes(200) + whole[at + 140 :])
    with RecordingReader(path) as reader:
        assert {f.code for f in reader.findings} == {"recording.damaged"}
        found = {int(capture.color.pixels[0]) for capture in reader.captures() if capture.color}
    assert found >= set(range(COUNT)) - {6, 7, 8}


def test_missing_bytes_inside_cost_only_their_cluster(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "damaged.mkv"
    at = whole.index(bytes([7]) * 50)
    path.write_bytes(whole[: at + 10] + whole[at + 30 :])
    with RecordingReader(path) as reader:
        found = {int(capture.color.pixels[0]) for capture in reader.captures() if capture.color}
        assert "recording.damaged" in {f.code for f in reader.findings}
    assert found >= set(range(COUNT)) - {7, 8}


mutations = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("write"), st.floats(0, 1), st.binary(min_size=1, max_size=16)),
        st.tuples(st.just("insert"), st.floats(0, 1), st.binary(min_size=1, max_size=16)),
        st.tuples(st.just("delete"), st.floats(0, 1), st.integers(1, 5_000)),
        st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 5_000)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=6,
)


def mutate(content: bytes, steps: list[tuple[str, float, int | bytes]]) -> bytes:
    changed = bytearray(content)
    for what, where, value in steps:
        at = int(where * max(0, len(changed) - 1))
        if what == "flip" and changed and isinstance(value, int):
            changed[at] ^= value
        elif what == "write" and isinstance(value, bytes):
            changed[at : at + len(value)] = value
        elif what == "insert" and isinstance(value, bytes):
            changed[at:at] = value
        elif what == "delete" and isinstance(value, int):
            del changed[at : at + value]
        elif what == "repeat" and isinstance(value, int):
            changed[at:at] = changed[at : at + value]
        elif what == "cut":
            del changed[at:]
    return bytes(changed)


fuzzing = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def check_mutated(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        captures = read_everything(path)
    except RecordingError as error:
        assert "\n" not in str(error)
        return
    assert captures <= len(content) // 6  # a block's head takes that much


@fuzzing
@given(steps=mutations)
@example(steps=[("write", 0.0, b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe")])
def test_a_mutated_recording_is_read_or_refused(tmp_path: Path, whole: bytes, steps: list[tuple]) -> None:
    check_mutated(tmp_path / "mutated.mkv", mutate(whole, steps))


@fuzzing
@given(steps=mutations)
def test_a_mutated_recording_of_a_killed_sdk_recorder_is_read_or_refused(tmp_path: Path, steps: list[tuple]) -> None:
    if not killed():
        pytest.skip(f"{SHARED / 'killed_recorder.mkv'} is not here")
    check_mutated(tmp_path / "mutated.mkv", mutate(killed(), steps))


@fuzzing
@given(header=st.integers(0, 3_000), tail=st.binary(max_size=400))
def test_a_header_with_anything_behind_it_is_read_or_refused(
    tmp_path: Path, whole: bytes, header: int, tail: bytes
) -> None:
    check_mutated(tmp_path / "mutated.mkv", whole[:header] + tail)
