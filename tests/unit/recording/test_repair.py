"""Recordings that others left open, rescued; the original stays as it is."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.errors import RecordingError
from genlock.findings import Severity
from genlock.recording import OffsetSource, RecordingReader, TrackName, digest_recording, repair_recording
from support.recordings import (
    CONFIGS,
    SMALL_CONFIG,
    assert_same_captures,
    imu_values,
    make_captures,
    make_imu,
    write_recording,
)

TAG = b"K4A_START_OFFSET_NS"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 30), make_imu(990_000, 1700))
    return path


def without(path: Path, *names: bytes) -> Path:
    """As if the recorder had been killed before it wrote these tags and Info."""
    content = path.read_bytes()
    for name in names:
        assert name in content
        content = content.replace(name, b"X" * len(name))
    info = content.index(b"\x15\x49\xa9\x66", 500)  # behind the seek head, which names it too
    size = content[info + 4]
    assert size & 0x80  # a one-byte size
    void = b"\xec" + bytes([size + 3]) + bytes((size & 0x7F) + 3)
    path.write_bytes(content[:info] + void + content[info + len(void) :])
    return path


def test_a_torn_last_cluster_is_dropped_and_everything_before_it_kept(whole: Path, tmp_path: Path):
    content = whole.read_bytes()
    last = content.rindex(b"\x1f\x43\xb6\x75")
    whole.write_bytes(content[: last + 1000])
    before = whole.read_bytes()
    with RecordingReader(whole) as reader:
        expected, imu = list(reader.captures()), imu_values(list(reader.imu()))
    result = repair_recording(whole, tmp_path / "rescued.mkv")
    assert whole.read_bytes() == before
    assert result.offset.source is OffsetSource.TAG
    assert result.lost_bytes >= 1000
    assert "recording.truncated" in {finding.code for finding in result.findings}
    with RecordingReader(result.repaired) as reader:
        assert reader.findings == ()
        assert_same_captures(list(reader.captures()), expected)
        assert imu_values(list(reader.imu())) == imu
    digest = digest_recording(result.repaired)
    assert (digest.root, digest.damaged_clusters) == (result.digest_root, ())


def test_a_closed_recording_that_was_cut_is_not_called_unfinished(whole: Path):
    whole.write_bytes(whole.read_bytes()[:-300_000])
    with RecordingReader(whole) as reader:
        assert [finding.code for finding in reader.findings] == ["recording.truncated"]


def test_content_that_contradicts_its_checksum_is_told_because_the_new_checksums_would_hide_it(whole: Path):
    assert not [f for f in repair_recording(whole, whole.with_name("first.mkv")).findings if "content" in f.code]
    content = bytearray(whole.read_bytes())
    with RecordingReader(whole) as reader:
        at = reader.stored.index.tracks[1].offsets[12]
        usec = reader.image_usec(TrackName.COLOR)[12]
    content[at + 500] ^= 4
    whole.write_bytes(content)
    (finding,) = [f for f in repair_recording(whole).findings if f.code == "recording.content_changed"]
    told = re.search(r"1 cluster at byte (\d+), device time ([\d.]+) s", finding.message)
    assert told
    assert int(told[1]) < at
    assert abs(float(told[2]) - usec / 1e6) < 0.033  # within one cluster


def test_a_recording_that_begins_at_the_clock_s_zero_is_told_so(tmp_path: Path):
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 5, first_usec=0))
    result = repair_recording(path)
    assert (result.first_usec, result.last_usec) == (0, 4 * 33_333)


def test_a_folder_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordingError, match="directory"):
        repair_recording(Path())


def test_the_offset_comes_from_inertial_samples_and_is_certain(whole: Path):
    result = repair_recording(without(whole, TAG))
    assert result.repaired == whole.with_name("take.repaired.mkv")
    assert (result.offset.source, result.offset.offset_usec) == (OffsetSource.IMU, 990_000)
    assert result.offset.is_certain
    assert [other.source for other in result.other_offsets] == [OffsetSource.STAMPS]
    with RecordingReader(result.repaired) as reader:
        assert reader.start_offset_usec == 990_000
        assert reader.stamps().color_usec[0] == 1_000_000


def test_without_inertial_samples_genlocks_own_track_tells(tmp_path: Path):
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 5))
    result = repair_recording(without(path, TAG))
    assert (result.offset.source, result.offset.offset_usec) == (OffsetSource.STAMPS, 1_000_000)


def test_a_sidecar_tells_and_an_option_overrules_and_contradictions_are_told(tmp_path: Path):
    path = tmp_path / "take.mkv"
    write_recording(path, SMALL_CONFIG, make_captures(SMALL_CONFIG, 5))
    without(path, TAG, b"GENLOCK_STAMPS")
    unknown = repair_recording(path, tmp_path / "unknown.mkv")
    assert unknown.offset.source is OffsetSource.NONE
    assert [f.severity for f in unknown.findings if f.code == "recording.start_offset_unknown"] == [Severity.ERROR]
    (tmp_path / "take.mkv.json").write_text(json.dumps({"start_offset_usec": 1_000_000}))
    by_sidecar = repair_recording(path, tmp_path / "sidecar.mkv")
    assert (by_sidecar.offset.source, by_sidecar.offset.is_certain) == (OffsetSource.SIDECAR, False)
    by_option = repair_recording(path, tmp_path / "option.mkv", start_offset_usec=2_000_000)
    assert by_option.offset.source is OffsetSource.OPTION
    assert "recording.start_offset_contradicted" in {finding.code for finding in by_option.findings}
    with RecordingReader(by_option.repaired) as reader:
        assert reader.image_usec(next(iter(reader.roles)))[0] == 2_000_000
    (tmp_path / "take.mkv.json").write_text("{}")
    with pytest.raises(RecordingError, match="start_offset_usec"):
        repair_recording(path, tmp_path / "other.mkv")


def test_an_existing_file_is_never_written_over(whole: Path, tmp_path: Path):
    (tmp_path / "there.mkv").write_bytes(b"precious")
    with pytest.raises(RecordingError, match="exists"):
        repair_recording(whole, tmp_path / "there.mkv")
    assert (tmp_path / "there.mkv").read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.mkv", "there.mkv"]


@given(
    places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8),
    values=st.binary(min_size=8, max_size=8),
    cut=st.floats(0.05, 1),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_left_of_a_recording_becomes_a_whole_file_or_a_clear_refusal(
    original: bytes, places: list[float], values: bytes, cut: float
):
    content = bytearray(original[: int(cut * len(original))])
    for place, value in zip(places, values, strict=False):
        content[int(place * len(content))] = value
    with TemporaryDirectory() as folder:
        path = Path(folder) / "take.mkv"
        path.write_bytes(content)
        try:
            result = repair_recording(path)
        except RecordingError:
            assert [left.name for left in Path(folder).iterdir()] == ["take.mkv"]
            return
        assert digest_recording(result.repaired).root == result.digest_root
        with RecordingReader(result.repaired) as reader:
            codes = {finding.code for finding in reader.findings}
            assert codes <= {"recording.no_captures", "recording.unfinished"}
            assert sum(1 for _ in reader.captures()) >= 0


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Small: color of a few kilobytes, inertial samples, the rest of a header."""
    path = tmp_path_factory.mktemp("small") / "take.mkv"
    write_recording(path, CONFIGS["color_only"], make_captures(CONFIGS["color_only"], 12), make_imu(990_000, 4000))
    return path.read_bytes()
