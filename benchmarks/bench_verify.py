"""How long a certificate takes: ten devices, ten minutes, files of their true size with holes in place of images.

    python benchmarks/bench_verify.py [--devices 10] [--minutes 10] [--folder /dev/shm]

Files with holes take little space on the disk, but a reader walks them like full ones. Each way runs in a process of
its own, so that its memory is its own; the table shows the best of three.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench_recording import at_time, config_of, make_pool, sparse_files
from genlock.k4a import ColorResolution, WiredSyncMode
from genlock.recording import RecordingWriter

_WAYS = {"times alone": "False", "and 16 pictures of each device": "True"}

_VERIFY = """
import resource, sys, time
from pathlib import Path
from genlock.workflows.verify import Depth, verify_files
begin = time.perf_counter()
report = verify_files([Path(name) for name in sys.argv[2:]], Depth(pictures=sys.argv[1] == "True"))
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, report.sets.judged)
"""


def make_take(folder: Path, devices: int, minutes: float) -> list[Path]:
    """One sparse recording for each device: a master and its subordinates, all in step."""
    pool = make_pool(ColorResolution.RES_1080P, 1)
    paths = []
    for number in range(devices):
        serial = f"{number + 1:012d}"
        path = folder / f"{serial}.mkv"
        role = WiredSyncMode.SUBORDINATE if number else WiredSyncMode.MASTER
        config = replace(config_of(ColorResolution.RES_1080P), wired_sync_mode=role)
        about = {"calibration": b"{}", "color_firmware": "1.6.110", "depth_firmware": "1.6.80"}
        with sparse_files(), RecordingWriter(path, config, serial=serial, imu=False, **about) as writer:
            for index in range(round(minutes * 60 * 30)):
                writer.write_capture(at_time(pool[0], index))
        paths.append(path)
    return paths


def measure(way: str, paths: Sequence[Path]) -> tuple[float, float, int]:
    """Seconds and megabytes of one verification in a process of its own, and how many sets it judged."""
    command = [sys.executable, "-c", _VERIFY, _WAYS[way], *map(str, paths)]
    seconds, mbytes, sets = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(mbytes), int(sets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--folder", type=Path, default=Path())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = make_take(Path(folder), options.devices, options.minutes)
        size_gbytes = sum(path.stat().st_size for path in paths) / 1e9
        print(f"{options.devices} devices, {options.minutes:g} min, {size_gbytes:.0f} GB in {options.folder}")
        for way in _WAYS:
            seconds, mbytes, sets = min(measure(way, paths) for _ in range(3))
            print(f"    {seconds:6.2f} s  {mbytes:5.0f} MB  {sets:6d} sets  {way}")


if __name__ == "__main__":
    main()
