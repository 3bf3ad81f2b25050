"""A flipped bit is found, and its cluster and time are told."""

import re
import shutil
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.errors import RecordingError
from genlock.plan import make_plan
from genlock.recording import RecordingReader, SessionFolder
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.workflows.checksums import check_files
from genlock.workflows.record import record_take
from genlock.workflows.thumbnails import thumbnail_strip
from genlock.workflows.verify import Depth, verify_path


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toml = rig_toml(1)
    rig = parse_rig(toml)
    path = tmp_path_factory.mktemp("takes") / "take"
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, path, rig_toml=toml, seconds=1)
    return path


def test_an_untouched_take_has_nothing_to_say(take: Path):
    assert list(check_files([take])) == []


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_flipped_bit_is_found_with_its_cluster_and_time(take: Path, tmp_path: Path, share: float):
    copy = Path(shutil.copytree(take, tmp_path / "copy"))
    ((path,),) = SessionFolder.open(copy).recordings().values()
    content = bytearray(path.read_bytes())
    flipped = int(share * len(content))
    content[flipped] ^= 0x10
    path.write_bytes(content)
    (finding,) = check_files([copy])
    assert finding.code == "verify.file_damaged"
    found = re.search(r"at byte (\d+) \((\d+) bytes, device time ([\d.]+) s", finding.message)
    assert found
    assert int(found[1]) <= flipped < int(found[1]) + int(found[2])
    with RecordingReader(take / path.relative_to(copy)) as reader:
        times = reader.stamps().color_usec / 1e6
        blocks = reader.stored.index.tracks[1]
        of_cluster = [t for t, at in zip(times, blocks.offsets, strict=True) if at > int(found[1])]
    assert abs(of_cluster[0] - float(found[3])) < 0.035
    assert [f.code for f in check_files([path])] == ["verify.file_damaged"]  # a loose file too


def test_a_changed_header_and_a_missing_digest_are_told(take: Path, tmp_path: Path):
    copy = Path(shutil.copytree(take, tmp_path / "copy"))
    ((path,),) = SessionFolder.open(copy).recordings().values()
    path.write_bytes(path.read_bytes().replace(b"GENLOCK_HOST", b"GENLOCK_GUST", 1))
    assert [f.code for f in check_files([copy])] == ["verify.file_changed"]
    folder = SessionFolder.open(copy)
    SessionFolder(copy, folder.session.model_copy(update={"digests": {}})).save()
    assert [f.code for f in check_files([copy])] == ["verify.no_digest"]
    path.write_bytes(path.read_bytes()[:-1000])
    cut, _ = check_files([copy])
    assert (cut.code, cut.message.rpartition(": ")[2]) == ("verify.file_damaged", "the file ends inside it")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (0, "its id is another"),  # the cluster's own id
        (11, "its checksum differs"),  # its length
        (12, "its checksum is gone"),  # the checksum's own id
        (15, "its checksum differs"),  # the checksum
        (19, "its checksum differs"),  # its time, which must not be believed then
    ],
)
def test_a_flipped_bit_in_the_head_of_a_cluster_is_told_by_cluster_and_time(
    take: Path, tmp_path: Path, place: int, reason: str
):
    copy = Path(shutil.copytree(take, tmp_path / "copy"))
    ((path,),) = SessionFolder.open(copy).recordings().values()
    content = bytearray(path.read_bytes())
    with RecordingReader(path) as reader:
        color = reader.stored.index.tracks[1]
        at = content.rindex(b"\x1f\x43\xb6\x75", 0, color.offsets[20])
        usec = int(reader.stamps().color_usec[20])
    content[at + place] ^= 0x01
    path.write_bytes(content)
    (finding,) = check_files([copy])
    found = re.search(
        r"at byte (\d+) \((\d+) bytes, device time ([\d.]+) s\) is not what was written: (.*)", finding.message
    )
    assert found
    assert (int(found[1]), found[4]) == (at, reason)
    assert at + int(found[2]) == content.index(b"\x1f\x43\xb6\x75\x01", at + 12)
    # The image lies within its cluster of 32 ms; a cluster before it begins at most a period and 32 ms earlier.
    assert abs(float(found[3]) - usec / 1e6) < 0.032 + 0.034 + 0.032


def test_a_damaged_header_hides_no_other_file_s_damage(tmp_path: Path):
    path = tmp_path / "take"
    toml = rig_toml(2)
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, path, rig_toml=toml, seconds=0.5)
    (first,), (second,) = SessionFolder.open(path).recordings().values()
    first.write_bytes(first.read_bytes().replace(b"STANDALONE", b"STANDALOSE").replace(b"MASTER", b"MASTES"))
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 1
    second.write_bytes(content)
    with pytest.raises(RecordingError, match=r"MASTES(.|\n)*000000000002/e01-p001.mkv: the cluster at byte"):
        verify_path([path], Depth(files=True))


def test_what_a_killed_recorder_left_unfinished_is_no_damage(take: Path, tmp_path: Path):
    ((path,),) = SessionFolder.open(take).recordings().values()
    content = path.read_bytes()
    at = content.rindex(b"\x1f\x43\xb6\x75\x01", 0, len(content) // 2)
    (tmp_path / "killed.mkv").write_bytes(content[:at] + b"\x1e" + content[at + 1 : at + 5000])
    assert list(check_files([tmp_path / "killed.mkv"])) == []


def test_a_thumbnail_strip_shows_color_depth_and_ir_side_by_side_in_time(take: Path):
    ((path,),) = SessionFolder.open(take).recordings().values()
    strip = thumbnail_strip(path, moments=5)
    with RecordingReader(path) as reader:
        config_rows = [160 * track.height_px // track.width_px for track in reader.tracks if track.width_px]
    assert strip.shape == (sum(config_rows), 5 * 160, 3)
    assert all(strip[:, column * 160 : (column + 1) * 160].std() > 10 for column in range(5))
