"""Takes trimmed, split, joined and merged: the same sets, the same bytes, all devices at the same captures."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from genlock.capture import Capture, CaptureSet
from genlock.devices import open_backend
from genlock.errors import RecordingError, SessionFolderError
from genlock.plan import make_plan
from genlock.recording import (
    RecordedSession,
    RecordingReader,
    SessionFolder,
    Span,
    SplitRule,
    digest_recording,
    parse_split_rule,
    rewrite,
)
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml, serials
from genlock.verify import Verdict
from genlock.workflows.cutting import merge_parts, split, trim
from genlock.workflows.merge import merge_sessions
from genlock.workflows.record import record_take
from genlock.workflows.storing import Storing
from genlock.workflows.verify import verify_files, verify_session

PERIOD_USEC = 33_333


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 sets of two devices in four parts."""
    toml = rig_toml(2)
    rig = parse_rig(toml)
    path = tmp_path_factory.mktemp("takes") / "take"
    with open_backend("sim", rig) as backend:
        storing = Storing(split=parse_split_rule("0.5s"))
        record_take(make_plan(rig), backend, path, rig_toml=toml, seconds=1.6, storing=storing)
    return path


def content(capture: Capture) -> list[tuple[int, str]]:
    return [(i.device_timestamp_usec, hashlib.sha256(i.pixels.tobytes()).hexdigest()) for i in capture.images]


def sets_of(sets: Iterable[CaptureSet]) -> list[tuple[int, dict[str, list[tuple[int, str]]]]]:
    return [(one.reference_usec, {s: content(c) for s, c in one.captures.items()}) for one in sets]


def read(path: Path) -> list[tuple[int, dict[str, list[tuple[int, str]]]]]:
    with RecordedSession(path) as session:
        return sets_of(session)


def digests_hold(path: Path) -> bool:
    """Every file is what its digest says: also the law that the writer's root is the reader's."""
    folder = SessionFolder.open(path)
    files = [name for names in folder.session.recordings.values() for name in names]
    return sorted(files) == sorted(folder.session.digests) and all(
        digest_recording(path / name).root == folder.session.digests[name] for name in files
    )


def test_a_take_recorded_in_parts_is_good_and_whole(take: Path):
    assert {len(files) for files in SessionFolder.open(take).recordings().values()} == {4}
    assert verify_session(take).verdict is Verdict.GOOD
    assert len(read(take)) >= 48
    assert digests_hold(take)


def test_loose_parts_are_judged_as_one_recording_a_device(take: Path):
    files = [path for parts in SessionFolder.open(take).recordings().values() for path in parts]
    report = verify_files(files[::-1])
    assert report.verdict is Verdict.GOOD
    assert len(report.devices) == 2


def test_joined_parts_hold_the_same_and_split_again_too(take: Path, tmp_path: Path):
    expected = read(take)
    merge_parts([take], tmp_path / "whole")
    assert {len(files) for files in SessionFolder.open(tmp_path / "whole").recordings().values()} == {1}
    assert read(tmp_path / "whole") == expected
    split(tmp_path / "whole", tmp_path / "parts", SplitRule(size_bytes=3_000_000))
    parts = SessionFolder.open(tmp_path / "parts").recordings()
    assert len({len(files) for files in parts.values()}) == 1
    assert len(parts[serials(1)[0]]) > 2
    assert max(path.stat().st_size for files in parts.values() for path in files) <= 3_000_000
    assert read(tmp_path / "parts") == expected
    assert verify_session(tmp_path / "parts").verdict is Verdict.GOOD
    assert digests_hold(tmp_path / "parts")
    assert digests_hold(tmp_path / "whole")
    for files in parts.values():  # every device is cut at the same captures
        with RecordingReader(files[1]) as reader:
            firsts = reader.stamps().color_usec[0]
        assert abs(firsts - _first_of_part(parts, 1)) < PERIOD_USEC / 4


def _first_of_part(parts: dict[str, tuple[Path, ...]], part: int) -> int:
    with RecordingReader(parts[serials(1)[0]][part]) as reader:
        return int(reader.stamps().color_usec[0])


def test_a_trimmed_take_holds_the_sets_of_its_stretch_and_their_inertial_samples(take: Path, tmp_path: Path):
    expected = read(take)
    first, last = expected[10][0], expected[30][0]
    trim(take, tmp_path / "short", from_usec=first, until_usec=last)
    assert read(tmp_path / "short") == expected[10:30]
    for files in SessionFolder.open(tmp_path / "short").recordings().values():
        with RecordingReader(files[0]) as reader:
            imu_usec = reader.imu_usec()
            assert first - PERIOD_USEC <= imu_usec[0] < first
            assert last - PERIOD_USEC <= imu_usec[-1] < last
            assert len(list(reader.blocks("GENLOCK_STAMPS"))) == 20
            assert reader.findings == ()
    session = SessionFolder.open(tmp_path / "short").session
    assert len(session.derived_from) == 1
    assert "trimmed" in session.derived_from[0]


def test_a_loss_outside_of_the_stretch_is_no_fault_of_a_trimmed_take(take: Path, tmp_path: Path):
    shutil.copytree(take, tmp_path / "take")
    loss = {"event": "data_lost", "serial": serials(2)[1], "detail": "No space left on device", "samples": 3}
    SessionFolder.open(tmp_path / "take").log({**loss, "first_usec": 1_500_000, "last_usec": 1_530_000})
    told = {"event": "finding", "serial": serials(2)[1], "detail": "it was told", "code": "session.disk_refused"}
    SessionFolder.open(tmp_path / "take").log(told)

    def lost(path: Path) -> list[str]:
        return [f.where for f in verify_session(path).findings if f.code == "verify.data_lost"]

    trim(tmp_path / "take", tmp_path / "before", until_usec=1_400_000)
    trim(tmp_path / "take", tmp_path / "with", from_usec=300_000)
    split(tmp_path / "take", tmp_path / "parts", SplitRule(usec=700_000))
    trim(tmp_path / "take", tmp_path / "after", from_usec=1_560_000)
    assert lost(tmp_path / "before") == lost(tmp_path / "after") == []
    for whole in ("take", "with", "parts"):
        assert lost(tmp_path / whole) == [f"device {serials(2)[1]}"]
    before = SessionFolder.open(tmp_path / "before").events() or []
    # Only that line is left out.
    assert len(before) == len(SessionFolder.open(tmp_path / "take").events() or []) - 1


def test_parts_without_captures_go_along(take: Path, tmp_path: Path):
    files = SessionFolder.open(take).recordings()[serials(1)[0]]
    empty = [tmp_path / "empty-1.mkv", tmp_path / "empty-2.mkv"]
    with RecordingReader(files[0]) as reader:
        for path in empty:
            rewrite([reader], path, span=Span(from_usec=100_000_000))
    merge_parts([empty[0], *files[::-1], empty[1]], tmp_path / "whole.mkv")
    expected = [capture for path in files for capture in _captures(path)]
    assert _captures(tmp_path / "whole.mkv") == expected


def test_one_file_is_trimmed_split_and_joined_like_a_session(take: Path, tmp_path: Path):
    files = SessionFolder.open(take).recordings()[serials(1)[0]]
    merge_parts(files[::-1], tmp_path / "whole.mkv")  # in any order
    with RecordingReader(tmp_path / "whole.mkv") as reader:
        captures = [content(capture) for capture in reader.captures()]
        times = reader.stamps().color_usec.tolist()
    assert len(captures) == sum(1 for path in files for _ in _captures(path))
    trim(tmp_path / "whole.mkv", tmp_path / "short.mkv", from_usec=times[5], until_usec=times[9])
    assert _captures(tmp_path / "short.mkv") == captures[5:9]
    result = split(tmp_path / "whole.mkv", tmp_path / "parts", SplitRule(usec=500_000))
    assert [capture for path in result.files for capture in _captures(path)] == captures


def _captures(path: Path) -> list[list[tuple[int, str]]]:
    with RecordingReader(path) as reader:
        return [content(capture) for capture in reader.captures()]


def test_what_exists_is_never_written_over_and_strangers_are_not_joined(take: Path, tmp_path: Path):
    with pytest.raises(SessionFolderError, match="exists"):
        trim(take, tmp_path)
    recordings = SessionFolder.open(take).recordings()
    one, other = serials(2)
    with pytest.raises(RecordingError, match="no part of the same"):
        merge_parts([recordings[one][0], recordings[other][0]], tmp_path / "mixed.mkv")
    with pytest.raises(SessionFolderError, match="no epoch 2"):
        trim(take, tmp_path / "none", epoch=2)
    assert list(tmp_path.iterdir()) == []


def test_sessions_of_several_hosts_become_one(take: Path, tmp_path: Path):
    """The two devices' folders as two computers would have left them, the master's started a second later."""
    whole = SessionFolder.open(take)
    hosts = []
    for number, serial in enumerate(serials(2), 1):
        path = tmp_path / f"host{number}"
        path.mkdir()
        (path / "devices").mkdir()
        (path / "devices" / serial).symlink_to(take / "devices" / serial)
        for name in ("rig.toml", "plan.json"):
            (path / name).write_bytes((take / name).read_bytes())
        own = [event for event in whole.events() or [] if event.get("serial") in (None, serial)]
        for event in own if number == 1 else ():
            event["called_nsec"] += 10**9
            event["returned_nsec"] += 10**9
        (path / "log.jsonl").write_text("".join(json.dumps(event) + "\n" for event in own))
        update = {
            "recordings": {serial: whole.session.recordings[serial]},
            "digests": {n: d for n, d in whole.session.digests.items() if serial in n},
            "host": f"pc-{number}",
            "session_id": str(number),
        }
        SessionFolder(path, whole.session.model_copy(update=update)).save()
        hosts.append(path)
    result = merge_sessions(hosts, tmp_path / "merged")
    assert (result.hosts, result.missing) == (("pc-1", "pc-2"), ())
    assert read(tmp_path / "merged") == read(take)
    report = verify_session(tmp_path / "merged")
    assert report.verdict is Verdict.GOOD
    assert digests_hold(tmp_path / "merged")
    with pytest.raises(SessionFolderError, match="holds too"):
        merge_sessions([hosts[0], take], tmp_path / "twice")


def test_a_stretch_without_captures_is_refused_and_leaves_nothing(take: Path, tmp_path: Path):
    with pytest.raises(
        RecordingError, match=r"no capture from 100 s to the end of device time: its captures lie from 0\."
    ):
        trim(take, tmp_path / "late", from_usec=100_000_000)
    with pytest.raises(RecordingError, match=r"no capture from 1 s to 0\.5 s"):
        trim(next(take.rglob("*.mkv")), tmp_path / "back.mkv", from_usec=1_000_000, until_usec=500_000)
    assert list(tmp_path.iterdir()) == []


def test_a_part_named_twice_is_refused(take: Path, tmp_path: Path):
    first, second, *_ = sorted((take / "devices" / serials(2)[0]).iterdir())
    with pytest.raises(RecordingError, match="of the same time as"):
        merge_parts([first, second, first], tmp_path / "joined.mkv")
    with pytest.raises(SessionFolderError, match="a folder among files"):
        merge_parts([first, take], tmp_path / "joined.mkv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of this kind exist on POSIX systems")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_a_cut_that_is_interrupted_leaves_nothing_behind(take: Path, tmp_path: Path, kind: signal.Signals):
    parts = tmp_path / "parts"
    command = [sys.executable, "-m", "genlock", "split", str(take), "-o", str(parts), "--every", "0.04s", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(tmp_path.rglob("*.mkv")):
            time.sleep(0.005)
        process.send_signal(kind)
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 130
    assert json.loads(printed)["error"]["kind"] == "interrupted"
    assert list(tmp_path.iterdir()) == []
