"""A disk that goes away in the middle of a take, one that is far too slow, a file that may not grow: real ones.

A small file system on a loop device is shut down under the recorder, as when its cable is pulled, or throttled by the
kernel. That needs root on Linux; where it cannot be had the tests skip and say so. No fault is played by a fake.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from genlock.devices import open_backend
from genlock.plan import make_plan
from genlock.recording import RecordingReader, SessionFolder, SessionState, digest_recording
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml
from genlock.workflows.record import record_take

fcntl = pytest.importorskip("fcntl")
resource = pytest.importorskip("resource")

EXT4_IOC_SHUTDOWN = 0x8004587D
"""Ends a mounted file system: every later access fails with EIO. Source: Linux, ``fs/ext4/ioctl.c``."""
BLKIO = Path("/sys/fs/cgroup/blkio")
TIMEOUT_SEC = 120


@dataclass(frozen=True)
class Disk:
    """A small ext4 file system of its own."""

    folder: Path
    image: Path

    def mount(self, *options: str) -> None:
        run("mount", "-o", ",".join(("loop", *options)), self.image, self.folder)

    def unmount(self) -> None:
        """Fails rather than leave the disk behind without a word."""
        subprocess.run(["umount", str(self.folder)], check=True)

    def pull(self) -> None:
        """What lies on it stays; nothing can be read or written any more until it is mounted again."""
        folder = os.open(self.folder, os.O_RDONLY)
        fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", 0))
        os.close(folder)

    def device(self) -> str:
        """``major:minor`` of the loop device."""
        number = self.folder.stat().st_dev
        return f"{os.major(number)}:{os.minor(number)}"


def run(*arguments: object) -> None:
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a file system of its own is not to be had here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Mounted."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("mounting a small file system needs root and mkfs.ext4 on Linux")
    made = Disk(tmp_path / "disk", tmp_path / "disk.img")
    made.folder.mkdir()
    with made.image.open("wb") as image:
        image.truncate(256 << 20)
    run("mkfs.ext4", "-q", made.image)
    made.mount()
    yield made
    if made.folder.is_mount():
        made.unmount()


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    path = tmp_path / "rig.toml"
    path.write_text(rig_toml(2))
    return path


def genlock(*arguments: object, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "genlock", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def wait_for_bytes(folder: Path, size_bytes: int) -> None:
    """Until every recording has so many."""
    deadline = time.monotonic() + TIMEOUT_SEC
    while time.monotonic() < deadline:
        sizes = [path.stat().st_size for path in folder.glob("devices/*/*.mkv")]
        if len(sizes) == 2 and min(sizes) > size_bytes:
            return
        time.sleep(0.02)
    pytest.fail(f"no recording grew in {folder}")


def captures_in(folder: Path) -> list[int]:
    """Of every file, each of which must be whole."""
    counts = []
    for files in SessionFolder.open(folder).recordings().values():
        for path in files:
            assert digest_recording(path).damaged_clusters == ()
            with RecordingReader(path) as reader:
                counts.append(sum(1 for _ in reader.captures()))
    return counts


@pytest.mark.parametrize("policy", ["stop", "go-on"])
def test_a_disk_that_goes_away_keeps_every_capture_from_before(disk: Disk, rig_file: Path, policy: str):
    take = disk.folder / "take"
    recorder = genlock(
        "record", rig_file, "--backend", "sim", "-o", take, "--seconds", 5, "--on-disk-error", policy, "--json"
    )
    wait_for_bytes(take, 2_000_000)
    disk.pull()
    out, err = recorder.communicate(timeout=TIMEOUT_SEC)
    assert recorder.returncode != 0
    assert "Traceback" not in err
    assert "Input/output error" in err
    assert json.loads(out)
    disk.unmount()
    disk.mount()
    # Some 0.25 MB a capture: what was on the disk when it went away is there, and whole.
    assert min(captures_in(take)) >= 4
    assert SessionFolder.open(take).session.state is SessionState.RUNNING


def test_a_disk_that_is_too_slow_costs_time_and_is_told_and_nothing_is_lost(disk: Disk, tmp_path: Path):
    source = tmp_path / "source"
    toml = rig_toml(2)
    rig = parse_rig(toml)
    with open_backend("sim", rig) as backend:
        record_take(make_plan(rig), backend, source, rig_toml=toml, seconds=3)
    wanted = captures_in(source)
    disk.unmount()
    disk.mount("sync")
    group = BLKIO / f"genlock-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "blkio.throttle.write_bps_device").write_text(f"{disk.device()} {12 << 20}")
    except OSError as error:
        pytest.skip(f"the kernel does not throttle disks for us: {error}")
    try:
        take = disk.folder / "take"
        recorder = genlock(
            *("record", source / "rig.toml", "--backend", "playback", "--take", source, "--pace", 20),
            *("-o", take, "--seconds", 4, "--json"),
            preexec_fn=lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
        )
        out, _ = recorder.communicate(timeout=TIMEOUT_SEC)
    finally:
        group.rmdir()
    assert recorder.returncode == 0, out
    codes = {finding["code"] for finding in json.loads(out)["findings"]}
    assert "session.disk_slow" in codes
    assert captures_in(take) == wanted


def test_a_file_that_may_not_grow_further_ends_the_take_with_a_reason(tmp_path: Path, rig_file: Path):
    take = tmp_path / "take"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    recorder = genlock("record", rig_file, "--backend", "sim", "-o", take, "--seconds", 5, preexec_fn=limit)
    _, err = recorder.communicate(timeout=TIMEOUT_SEC)
    assert recorder.returncode == 3
    assert "File too large" in err
    assert "Traceback" not in err
    assert SessionFolder.open(take).session.state is SessionState.FAILED
    assert min(captures_in(take)) >= 4
