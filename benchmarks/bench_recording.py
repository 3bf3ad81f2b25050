"""Recording and reading, side by side with Microsoft's libk4arecord on the same captures in one run.

    python benchmarks/bench_recording.py [--seconds 0.5] [--rounds 5] [--folder /dev/shm --folder .] [--sustained 10]

Captures are pre-encoded MJPG + NFOV_UNBINNED depth + IR. Rounds are interleaved, so that a busy moment of the machine
hits every contender; the table shows medians. Files are read while the system still holds them in memory, so that the
reader is measured and not the disk.

The "bare limits" are what nobody can do without, in one thread. Writing: the byte swap, the CRC-32, the ``writev`` of
the same bytes, and the wait for the disk at the end (which libk4arecord leaves out). Reading: ``preadv`` of the same
bytes into one buffer, and the byte swap into another. Readers end with what a program works on: the JPEG's bytes and
native 16-bit arrays of its own; "libk4arecord" alone is what its captures cost before anybody copies them. Where
Microsoft's libraries cannot be had, their columns stay empty.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from unittest import mock

import av
import numpy as np
import simplejpeg

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from conformance.libraries import LibrariesMissingError, find_libraries
from conformance.sdk import Sdk
from genlock.capture import Capture, Image
from genlock.k4a import COLOR_GEOMETRY, ColorResolution, DepthMode, DeviceConfig, ImageFormat
from genlock.recording import RecordingReader, RecordingWriter, TrackName
from genlock.recording import muxer as muxer_module
from genlock.recording.output import OutputFile

RESOLUTIONS = (ColorResolution.RES_720P, ColorResolution.RES_1080P, ColorResolution.RES_2160P)
DEPTH_SIZE = (576, 640)
PERIOD_USEC = 33_333


@dataclass(frozen=True)
class Rate:
    """One contender's result."""

    captures_per_sec: float
    cpu_msec: float
    """Processor time a capture, all threads."""


def make_pool(resolution: ColorResolution, count: int = 8) -> list[Capture]:
    """Captures of photographic weight: a picture with fine texture in a quarter of it."""
    rng = np.random.default_rng(1)
    size = COLOR_GEOMETRY[resolution]
    pool = []
    for index in range(count):
        picture = np.full((size.height_px, size.width_px, 3), 90 + index, np.uint8)
        texture = picture[: size.height_px // 2, : size.width_px // 2]
        texture += rng.integers(0, 60, texture.shape, np.uint8)
        jpeg = np.frombuffer(simplejpeg.encode_jpeg(picture, quality=90), np.uint8)
        depth, infrared = (rng.integers(0, 5000, DEPTH_SIZE, np.uint16) for _ in range(2))
        pool.append(
            Capture(
                "000000000001",
                index,
                Image(ImageFormat.MJPG, size.width_px, size.height_px, jpeg, 0, 1),
                Image(ImageFormat.DEPTH16, 640, 576, depth, 0, 1),
                Image(ImageFormat.IR16, 640, 576, infrared, 0, 1),
            )
        )
    return pool


def at_time(capture: Capture, index: int) -> Capture:
    usec = 1_000_000 + index * PERIOD_USEC
    color, depth, ir = (
        replace(image, device_timestamp_usec=usec) for image in (capture.color, capture.depth, capture.ir) if image
    )
    return replace(capture, index=index, color=color, depth=depth, ir=ir)


def config_of(resolution: ColorResolution) -> DeviceConfig:
    return DeviceConfig(color_resolution=resolution, depth_mode=DepthMode.NFOV_UNBINNED)


def open_writer(path: Path, config: DeviceConfig) -> RecordingWriter:
    return RecordingWriter(
        path, config, serial="1", calibration=b"{}", color_firmware="1.6.110", depth_firmware="1.6.79", imu=False
    )


# ---- contenders --------------------------------------------------------------------------------------------------


def write_bare(path: Path, captures: list[Capture]) -> None:
    """Byte swap, CRC-32, writev; no format, no bookkeeping."""
    swapped = np.empty((2, *DEPTH_SIZE), ">u2")
    with path.open("xb", buffering=0) as file:
        for capture in captures:
            assert capture.color and capture.depth and capture.ir
            np.copyto(swapped[0], capture.depth.pixels)
            np.copyto(swapped[1], capture.ir.pixels)
            parts = [capture.color.pixels.data, swapped[0].data.cast("B"), swapped[1].data.cast("B")]
            crc = 0
            for part in parts:
                crc = zlib.crc32(part, crc)
            if hasattr(os, "writev"):
                os.writev(file.fileno(), parts)
            else:
                for part in parts:
                    file.write(part)
        os.fsync(file.fileno())  # as genlock's close does; libk4arecord does not wait for the disk


def write_genlock(path: Path, captures: list[Capture]) -> None:
    assert captures[0].color
    resolution = next(r for r in RESOLUTIONS if COLOR_GEOMETRY[r].height_px == captures[0].color.height_px)
    with open_writer(path, config_of(resolution)) as writer:
        for capture in captures:
            writer.write_capture(capture)


def writer_sdk(sdk: Sdk) -> Callable[[Path, list[Capture]], None]:
    def write(path: Path, captures: list[Capture]) -> None:
        assert captures[0].color
        resolution = next(r for r in RESOLUTIONS if COLOR_GEOMETRY[r].height_px == captures[0].color.height_px)
        with sdk.recorder(path, config_of(resolution)) as recorder:
            for capture in captures:
                recorder.write_capture(capture)

    return write


def read_genlock(path: Path) -> int:
    with RecordingReader(path) as reader:
        return sum(1 for _ in reader.captures())


def read_pyav(path: Path) -> int:
    """PyAV's demuxer and the same copies: native 16-bit arrays, JPEG bytes."""
    color = 0
    with av.open(path) as container:
        for packet in container.demux():
            if packet.stream.index == 0:
                color += packet.size > 0
                np.frombuffer(packet, np.uint8).copy()
            elif packet.size == 2 * DEPTH_SIZE[0] * DEPTH_SIZE[1]:
                np.frombuffer(packet, ">u2").astype(np.uint16)
    return color


def readers_sdk(sdk: Sdk) -> dict[str, Callable[[Path], int]]:
    def read_and_copy(path: Path) -> int:
        with sdk.playback(path) as playback:
            return sum(1 for _ in playback.captures())

    def read(path: Path) -> int:
        with sdk.playback(path) as playback:
            return playback.count_captures()

    return {"libk4arecord + copy": read_and_copy, "libk4arecord": read}


def read_bare(path: Path) -> int:
    """The images' bytes into one buffer, swapped into another; where they lie is known beforehand."""
    with RecordingReader(path) as reader:
        blocks = {role: reader.stored.index.tracks[track.number] for role, track in reader.roles.items()}
    color, depth, ir = blocks[TrackName.COLOR], blocks[TrackName.DEPTH], blocks[TrackName.IR]
    jpeg = memoryview(bytearray(max(color.sizes)))
    stored, swapped = np.empty(DEPTH_SIZE, ">u2"), np.empty(DEPTH_SIZE, np.uint16)
    with path.open("rb", buffering=0) as file:
        for number, size in enumerate(color.sizes):
            os.preadv(file.fileno(), [jpeg[:size]], color.offsets[number])
            for gray in (depth, ir):
                os.preadv(file.fileno(), [stored], gray.offsets[number])
                np.copyto(swapped, stored)
    return len(color.sizes)


# ---- measuring ---------------------------------------------------------------------------------------------------


def measure(work: Callable[[], object], captures: int) -> Rate:
    begin, begin_cpu = time.perf_counter(), time.process_time()
    work()
    wall_sec, cpu_sec = time.perf_counter() - begin, time.process_time() - begin_cpu
    return Rate(captures / wall_sec, cpu_sec / captures * 1000)


def median(rates: list[Rate]) -> Rate:
    return Rate(
        statistics.median(rate.captures_per_sec for rate in rates), statistics.median(rate.cpu_msec for rate in rates)
    )


def bench_writing(folder: Path, sdk: Sdk | None, seconds: float, rounds: int) -> None:
    contenders: dict[str, Callable[[Path, list[Capture]], None]] = {"genlock": write_genlock, "bare limit": write_bare}
    if sdk is not None:
        contenders["libk4arecord"] = writer_sdk(sdk)
    print_head(f"Writing to {folder}", rounds, contenders)
    for resolution in RESOLUTIONS:
        pool = make_pool(resolution)
        count = max(16, round(seconds * 120))  # libk4arecord writes about that many a second
        captures = [at_time(pool[index % len(pool)], index) for index in range(count)]
        results: dict[str, list[Rate]] = {name: [] for name in contenders}
        for round_number in range(rounds + 1):
            for name, write in contenders.items():
                path = folder / f"{name.replace(' ', '_')}.mkv"
                rate = measure(partial(write, path, captures), count)
                path.unlink()
                if round_number:  # the first warms up
                    results[name].append(rate)
        print_row(resolution, pool, {name: median(rates) for name, rates in results.items()})


def bench_reading(folder: Path, sdk: Sdk | None, seconds: float, rounds: int) -> None:
    contenders: dict[str, Callable[[Path], int]] = {
        "genlock": read_genlock,
        "bare limit": read_bare,
        "PyAV + copy": read_pyav,
        **(readers_sdk(sdk) if sdk is not None else {}),
    }
    print_head(f"Reading from {folder}", rounds, contenders)
    for resolution in RESOLUTIONS:
        pool = make_pool(resolution)
        count = max(16, round(seconds * 500))
        path = folder / "read.mkv"
        write_genlock(path, [at_time(pool[index % len(pool)], index) for index in range(count)])
        results: dict[str, list[Rate]] = {name: [] for name in contenders}
        for round_number in range(rounds + 1):
            for name, read in contenders.items():
                rate = measure(partial(read, path), count)
                if round_number:
                    results[name].append(rate)
        path.unlink()
        print_row(resolution, pool, {name: median(rates) for name, rates in results.items()})


def print_head(what: str, rounds: int, contenders: Iterable[str]) -> None:
    first, *others = contenders
    print(f"\n{what}: captures/s, ms of processor time a capture, genlock's speed as a multiple of each")
    print(f"(medians of {rounds} rounds)")
    print(f"{'':8}{'':>8}{first:>18}" + "".join(f"{name:>26}" for name in others))


def print_row(resolution: ColorResolution, pool: list[Capture], rates: dict[str, Rate]) -> None:
    ours, *others = rates.values()
    weight = statistics.mean(sum(image.pixels.nbytes for image in capture.images) for capture in pool)
    cells = "".join(
        f"{rate.captures_per_sec:>10.0f} {rate.cpu_msec:>5.2f} ms "
        f"{ours.captures_per_sec / rate.captures_per_sec:>5.2f}x"
        for rate in others
    )
    print(f"{resolution:8}{weight / 1e6:>5.2f} MB{ours.captures_per_sec:>9.0f} {ours.cpu_msec:>5.2f} ms{cells}")


def bench_sustained(folder: Path, seconds: float, devices: int = 10, fps: int = 30) -> None:
    """Ten devices at their real pace, a thread each, in one process."""
    pool = make_pool(ColorResolution.RES_720P)
    count = round(seconds * fps)
    memory_before_mb = peak_memory_mb()
    worst_lag_sec = [0.0] * devices
    written = [0] * devices
    begin_cpu, begin = time.process_time(), time.perf_counter() + 0.2

    def record(device: int) -> None:
        with open_writer(folder / f"device{device}.mkv", config_of(ColorResolution.RES_720P)) as writer:
            for index in range(count):
                due = begin + index / fps
                time.sleep(max(0.0, due - time.perf_counter()))
                writer.write_capture(at_time(pool[index % len(pool)], index))
                worst_lag_sec[device] = max(worst_lag_sec[device], time.perf_counter() - due)
            written[device] = writer.close().captures

    threads = [threading.Thread(target=record, args=(device,)) for device in range(devices)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall_sec, cpu_sec = time.perf_counter() - begin, time.process_time() - begin_cpu
    for device in range(devices):
        (folder / f"device{device}.mkv").unlink()
    print(
        f"\nSustained: {devices} devices x {fps} captures/s (720P) for {seconds:g} s from {devices} threads: "
        f"{sum(written)} of {devices * count} captures written, worst delay {max(worst_lag_sec) * 1000:.0f} ms, "
        f"{cpu_sec / wall_sec:.0%} of one core, memory grew by {peak_memory_mb() - memory_before_mb:.0f} MB"
    )


def peak_memory_mb() -> float:
    """The most memory that this process ever held; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def bench_times(folder: Path, minutes: float = 10) -> None:
    """What touches no image, or one: on a sparse file of a recording's true size."""
    path = folder / "sparse.mkv"
    pool = make_pool(ColorResolution.RES_1080P, 1)
    count = round(minutes * 60 * 30)
    with sparse_files(), open_writer(path, config_of(ColorResolution.RES_1080P)) as writer:
        for index in range(count):
            writer.write_capture(at_time(pool[0], index))
    print(f"\nA recording of {minutes:g} min, {path.stat().st_size / 1e9:.1f} GB, in {folder} (medians of 5):")

    def stamps() -> None:
        with RecordingReader(path) as reader:
            assert len(reader.stamps().color_usec) == count

    def excerpt(share: float) -> None:
        usec = 1_000_000 + round(share * count) * PERIOD_USEC
        with RecordingReader(path) as reader:
            (capture,) = reader.excerpt(usec, usec + 1)
            assert capture.stamp.color_usec == usec

    for what, work in (
        ("every capture's stamps", stamps),
        ("open it, and one capture out of the middle", partial(excerpt, 0.5)),
        ("the same near the end", partial(excerpt, 0.99)),
    ):
        times_sec = []
        for _ in range(5):
            begin = time.perf_counter()
            work()
            times_sec.append(time.perf_counter() - begin)
        print(f"    {statistics.median(times_sec) * 1000:8.1f} ms  {what}")
    path.unlink()


@contextmanager
def sparse_files() -> Iterator[None]:
    """While entered, recordings get their true size, but holes in place of images, and checksums of nothing."""

    class Sparse(OutputFile):
        def append(self, parts):  # type: ignore[no-untyped-def]
            begin = self._size_bytes
            for part in parts:
                if isinstance(part, bytes):
                    self._file.write(part)
                else:
                    self._file.seek(len(part), os.SEEK_CUR)
            self._size_bytes = self._file.tell()
            return begin

    with (
        mock.patch.object(muxer_module, "OutputFile", Sparse),
        mock.patch("genlock.recording.clusters.zlib.crc32", return_value=0),
    ):
        yield


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="of libk4arecord's work in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, action="append", help="where to write; by default a RAM disk, if there is one, and here"
    )
    parser.add_argument("--sustained", type=float, default=10, help="seconds of ten devices at their own pace")
    arguments = parser.parse_args()
    ram_disk = Path("/dev/shm")
    parents = arguments.folder or [folder for folder in (ram_disk, Path.cwd()) if folder.is_dir()]
    try:
        sdk = Sdk(find_libraries())
    except (LibrariesMissingError, OSError) as error:
        print(f"without libk4arecord: {error}")
        sdk = None
    for parent in parents:
        with tempfile.TemporaryDirectory(dir=parent) as scratch:
            folder = Path(scratch)
            bench_sustained(folder, arguments.sustained)  # first: later, the peak of memory is somebody else's
            bench_writing(folder, sdk, arguments.seconds, arguments.rounds)
            bench_reading(folder, sdk, arguments.seconds, arguments.rounds)
            bench_times(folder)


if __name__ == "__main__":
    main()
