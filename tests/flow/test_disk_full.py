"""A disk that is too small, full, or not writable, with a real file system of a few megabytes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.errors import RigError, SessionFolderError, UnworkablePlanError
from genlock.findings import Severity
from genlock.plan import make_plan
from genlock.recording import (
    DiskPolicy,
    RecordingReader,
    SessionFolder,
    SessionState,
    SplitRule,
    digest_recording,
)
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml, serials
from genlock.workflows import storing as storing_module
from genlock.workflows.progress import NoProgress
from genlock.workflows.record import TakeResult, record_take
from genlock.workflows.storing import Storing
from genlock.workflows.verify import verify_session

DISK_MB = 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A RAM disk of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={DISK_MB}m", "genlock-test", str(place)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def record(folder: Path, policy: DiskPolicy, seconds: float = 2.0) -> TakeResult:
    toml = rig_toml(2)
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend:
        return record_take(
            make_plan(rig), backend, folder, rig_toml=toml, seconds=seconds, storing=Storing(on_disk_error=policy)
        )


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the room had been there before the start."""
    monkeypatch.setattr(storing_module, "check_space", lambda *arguments: iter(()))


def check_files(folder: Path) -> int:
    """Every file is valid from end to end; the captures in all of them."""
    captures = 0
    for files in SessionFolder.open(folder).recordings().values():
        for path in files:
            assert digest_recording(path).damaged_clusters == ()
            with RecordingReader(path) as reader:
                captures += sum(1 for _ in reader.captures())
    return captures


def test_a_take_that_cannot_fit_is_refused_before_anything_starts(small_disk: Path):
    with pytest.raises(UnworkablePlanError) as caught:
        record(small_disk / "take", DiskPolicy.STOP, seconds=60)
    assert [finding.code for finding in caught.value.findings] == ["session.disk_too_small"]
    assert list(small_disk.iterdir()) == []


def test_a_full_disk_goes_on_and_says_who_lost_what_from_when_to_when(small_disk: Path, unchecked: None):
    folder = small_disk / "take"
    result = record(folder, DiskPolicy.GO_ON)
    assert result.state is SessionState.COMPLETED
    lost = [finding for finding in result.findings if finding.code == "session.disk_refused"]
    assert {finding.where for finding in lost} == {f"device {serial}" for serial in serials(2)}
    assert all("No space left" in finding.message for finding in lost)
    session = SessionFolder.open(folder)
    assert session.session.state is SessionState.COMPLETED
    lines = [event for event in session.events() or [] if event["event"] == "data_lost"]
    assert {line["serial"] for line in lines} == set(serials(2))
    assert 10 < check_files(folder) < 120
    # What was lost lies behind what is there: nothing was dropped in between without a word.
    for line in lines:
        assert 0 < line["first_usec"] <= line["last_usec"] < 3_000_000
    assert {path: digest_recording(folder / path).root for path in session.session.digests} == session.session.digests
    # However often the disk refused, a device's losses are one finding; verify, which sees files alone, tells it too.
    assert len(lost) == 2
    told = [finding for finding in verify_session(folder).findings if finding.code == "verify.data_lost"]
    assert [finding.where for finding in told] == [finding.where for finding in lost]
    for one, other in zip(lost, told, strict=True):  # as many samples, from when to when
        assert one.message.split(" of its clock")[0] == other.message.split(" of its clock")[0]


def test_a_full_disk_stops_the_take_where_told(small_disk: Path, unchecked: None):
    folder = small_disk / "take"
    with pytest.raises(RigError, match="No space left") as stopped:
        record(folder, DiskPolicy.STOP)
    assert "session.disk_refused" in {finding.code for finding in stopped.value.findings}
    session = SessionFolder.open(folder)
    assert session.session.state is SessionState.FAILED
    assert "No space left" in (session.session.failure or "")
    assert any(event["event"] == "data_lost" for event in session.events() or [])
    assert check_files(folder) > 10


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file that is being written cannot be removed")
@pytest.mark.parametrize("policy", list(DiskPolicy))
def test_a_recording_that_is_removed_while_it_grows_is_noticed_within_a_second(tmp_path: Path, policy: DiskPolicy):
    folder, toml = tmp_path / "take", rig_toml(2)
    rig, removed = parse_rig(toml), serials(2)[1]
    progress = RemovesWhenCapturing(folder / "devices" / removed / "e01-p001.mkv")

    def take() -> TakeResult:
        with open_backend("sim", rig) as backend:
            return record_take(
                make_plan(rig),
                backend,
                folder,
                rig_toml=toml,
                seconds=6.0,
                progress=progress,
                storing=Storing(on_disk_error=policy),
            )

    if policy is DiskPolicy.GO_ON:
        findings = take().findings
    else:
        with pytest.raises(RigError, match="was removed while it was recorded") as stopped:
            take()
        findings = stopped.value.findings
        with RecordingReader(folder / "devices" / serials(2)[0] / "e01-p001.mkv") as reader:
            # Virtual time passes quickly, and the queue between device and disk holds two seconds more.
            assert reader.duration_usec < 5_000_000
    (gone,) = [finding for finding in findings if finding.code == "session.file_removed"]
    assert gone.where == f"device {removed}"
    assert SessionFolder.open(folder).session.state is not SessionState.RUNNING


class RemovesWhenCapturing(NoProgress):
    def __init__(self, path: Path) -> None:
        self._path = path

    def advance(self, done: float, total: float, text: str) -> None:
        if done > 0.2:
            self._path.unlink(missing_ok=True)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a file that is being written cannot be removed")
def test_of_a_take_in_parts_what_is_moved_away_when_it_is_whole_is_a_remark_and_what_grows_is_a_loss(tmp_path: Path):
    folder, toml = tmp_path / "take", rig_toml(2)
    rig, (kept, robbed) = parse_rig(toml), serials(2)
    places = {serial: folder / "devices" / serial for serial in (kept, robbed)}

    class Moves(NoProgress):
        def advance(self, done: float, total: float, text: str) -> None:
            whole = places[kept] / "e01-p001.mkv"
            if (places[kept] / "e01-p003.mkv").exists() and whole.exists():
                whole.rename(tmp_path / "elsewhere.mkv")
            if done > 0.2:
                (places[robbed] / "e01-p001.mkv").unlink(missing_ok=True)

    with open_backend("sim", rig) as backend:
        result = record_take(
            make_plan(rig),
            backend,
            folder,
            rig_toml=toml,
            seconds=4.0,
            progress=Moves(),
            storing=Storing(split=SplitRule(usec=1_000_000), on_disk_error=DiskPolicy.GO_ON),
        )
    assert result.state is SessionState.COMPLETED
    told = {finding.where: (finding.code, finding.severity) for finding in result.findings}
    assert told == {
        f"device {kept}": ("session.file_moved", Severity.INFO),
        f"device {robbed}": ("session.file_removed", Severity.ERROR),
    }
    with RecordingReader(tmp_path / "elsewhere.mkv") as reader:
        held = sum(1 for _ in reader.captures())
    assert any(f"whole when it was closed: {held} captures" in finding.message for finding in result.findings)


def test_a_folder_that_is_gone_in_the_end_is_told_in_one_line(tmp_path: Path):
    folder, toml = tmp_path / "take", rig_toml(1)
    rig = parse_rig(toml)

    class RemovesAll(NoProgress):
        def step(self, text: str) -> None:
            if text.startswith("stop"):
                shutil.rmtree(folder)

    with open_backend("sim", rig) as backend, pytest.raises(SessionFolderError, match="cannot be completed: No such"):
        record_take(make_plan(rig), backend, folder, rig_toml=toml, seconds=0.2, progress=RemovesAll())
