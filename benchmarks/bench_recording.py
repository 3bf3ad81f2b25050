"""Recording and reading, side by side with Microsoft's libk4arecord on the same captures in one run.

    python benchmarks/bench_recording.py [--seconds 1] [--rounds 5] [--folder /dev/shm --folder .] [--sustained 10]

Captures are pre-encoded MJPG + NFOV_UNBINNED depth + IR. Every contender has a process of its own, as a program that
does nothing else would be: what one has done to the allocator of memory is no help to the next. Rounds are
interleaved, so that a busy moment of the machine hits every contender; the table shows medians. Files are read while
the system still holds them in memory, so that the reader is measured and not the disk.

Writing, there are two promises: that the system has every byte ("no wait", where libk4arecord returns), and that the
disk has it ("+ fsync", where genlock returns). genlock is compared with libk4arecord at both.

The "bare limits" are what nobody can do without. Writing: the byte swap, the CRC-32, the ``writev`` of the same bytes,
and the disk as genlock treats it: told early, waited for at the end. Reading: ``preadv`` of the same bytes into one
buffer and the byte swap into another, in one thread or in two with half the captures each. Readers end with what a
program works on: the JPEG's bytes and native 16-bit arrays of its own; "libk4arecord" alone is what its captures cost
before anybody copies them. Where Microsoft's libraries cannot be had, their columns stay empty.
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
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
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
from genlock.recording.index import TrackBlocks
from genlock.recording.output import OutputFile
from genlock.recording.writeback import WriteBack

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


@cache
def make_take(resolution: ColorResolution, count: int) -> list[Capture]:
    pool = make_pool(resolution)
    return [at_time(pool[index % len(pool)], index) for index in range(count)]


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

Writer = Callable[[Path, ColorResolution, list[Capture]], None]
Reader = Callable[[Path], int]


def write_bare(path: Path, resolution: ColorResolution, captures: list[Capture]) -> None:
    """Byte swap, CRC-32, writev; no format, no bookkeeping."""
    swapped = np.empty((2, *DEPTH_SIZE), ">u2")
    with path.open("xb", buffering=0) as file:
        write_back = WriteBack(file.fileno())
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
            write_back.grown_to(file.tell())
        os.fsync(file.fileno())
        write_back.close()


def write_genlock(path: Path, resolution: ColorResolution, captures: list[Capture]) -> None:
    with open_writer(path, config_of(resolution)) as writer:
        for capture in captures:
            writer.write_capture(capture)


def write_genlock_no_wait(path: Path, resolution: ColorResolution, captures: list[Capture]) -> None:
    with mock.patch.object(OutputFile, "sync", lambda file: None):
        write_genlock(path, resolution, captures)


def write_sdk(path: Path, resolution: ColorResolution, captures: list[Capture]) -> None:
    with find_sdk().recorder(path, config_of(resolution)) as recorder:
        for capture in captures:
            recorder.write_capture(capture)


def write_sdk_and_wait(path: Path, resolution: ColorResolution, captures: list[Capture]) -> None:
    write_sdk(path, resolution, captures)
    with path.open("r+b") as file:
        os.fsync(file.fileno())


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


def read_sdk_and_copy(path: Path) -> int:
    with find_sdk().playback(path) as playback:
        return sum(1 for _ in playback.captures())


def read_sdk(path: Path) -> int:
    with find_sdk().playback(path) as playback:
        return playback.count_captures()


def read_bare(path: Path, threads: int = 1) -> int:
    """The images' bytes into one buffer, swapped into another; where they lie is known beforehand."""
    tracks = find_blocks(path)
    with path.open("rb", buffering=0) as file:
        workers = [
            threading.Thread(target=read_blocks, args=(file.fileno(), tracks, begin, threads))
            for begin in range(1, threads)
        ]
        for worker in workers:
            worker.start()
        read_blocks(file.fileno(), tracks, 0, threads)
        for worker in workers:
            worker.join()
    return len(tracks[0].sizes)


def read_blocks(fd: int, tracks: list[TrackBlocks], begin: int, step: int) -> None:
    color, *grays = tracks
    jpeg = memoryview(bytearray(max(color.sizes)))
    stored, swapped = np.empty(DEPTH_SIZE, ">u2"), np.empty(DEPTH_SIZE, np.uint16)
    for number in range(begin, len(color.sizes), step):
        os.preadv(fd, [jpeg[: color.sizes[number]]], color.offsets[number])
        for gray in grays:
            os.preadv(fd, [stored], gray.offsets[number])
            np.copyto(swapped, stored)


@cache
def find_blocks(path: Path) -> list[TrackBlocks]:
    with RecordingReader(path) as reader:
        blocks = {role: reader.stored.index.tracks[track.number] for role, track in reader.roles.items()}
    return [blocks[TrackName.COLOR], blocks[TrackName.DEPTH], blocks[TrackName.IR]]


WRITERS: dict[str, Writer] = {
    "genlock": write_genlock,
    "bare limit": write_bare,
    "genlock, no wait": write_genlock_no_wait,
    "libk4arecord": write_sdk,
    "libk4arecord + fsync": write_sdk_and_wait,
}
READERS: dict[str, Reader] = {
    "genlock": read_genlock,
    "bare limit": read_bare,
    "bare, 2 threads": partial(read_bare, threads=2),
    "PyAV + copy": read_pyav,
    "libk4arecord + copy": read_sdk_and_copy,
    "libk4arecord": read_sdk,
}


@cache
def find_sdk() -> Sdk:
    return Sdk(find_libraries())


def is_there(name: str) -> bool:
    """Whether a contender can take part."""
    if name.startswith("libk4arecord"):
        try:
            find_sdk()
        except (LibrariesMissingError, OSError) as error:
            print(f"without {name}: {error}")
            return False
    return True


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


def write_once(name: str, path: Path, resolution: ColorResolution, count: int) -> Rate:
    rate = measure(partial(WRITERS[name], path, resolution, make_take(resolution, count)), count)
    path.unlink()
    return rate


def read_once(name: str, path: Path, count: int) -> Rate:
    return measure(partial(READERS[name], path), count)


@contextmanager
def own_processes(names: Iterable[str]) -> Iterator[dict[str, ProcessPoolExecutor]]:
    """One for each contender that can take part."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
            for name in names
            if is_there(name)
        }


def in_rounds(work: dict[str, Callable[[], Rate]], rounds: int) -> dict[str, Rate]:
    results: dict[str, list[Rate]] = {name: [] for name in work}
    order = deque(work)
    for round_number in range(rounds + 1):
        for name in order:
            rate = work[name]()
            if round_number:  # the first warms up
                results[name].append(rate)
        order.rotate(1)  # nobody is always the one after the slowest
    return {name: median(rates) for name, rates in results.items()}


def bench_writing(folder: Path, seconds: float, rounds: int) -> None:
    count = max(16, round(seconds * 120))  # libk4arecord writes about that many a second
    with own_processes(WRITERS) as processes:
        print_head(f"Writing {count} captures to {folder}", rounds, processes)
        for resolution in RESOLUTIONS:
            work = {
                name: partial(run_in, process, write_once, name, folder / "write.mkv", resolution, count)
                for name, process in processes.items()
            }
            rates = in_rounds(work, rounds)
            print_row(resolution, rates)
            if "libk4arecord" in rates:
                factor = rates["genlock, no wait"].captures_per_sec / rates["libk4arecord"].captures_per_sec
                print(f"{'':8}where neither waits for the disk, genlock's speed is {factor:.2f} x libk4arecord's")


def bench_reading(folder: Path, seconds: float, rounds: int) -> None:
    count = max(16, round(seconds * 600))
    with own_processes(READERS) as processes:
        print_head(f"Reading {count} captures from {folder}", rounds, processes)
        for resolution in RESOLUTIONS:
            path = folder / f"read-{resolution}.mkv"
            write_genlock(path, resolution, make_take(resolution, count))
            work = {name: partial(run_in, process, read_once, name, path, count) for name, process in processes.items()}
            print_row(resolution, in_rounds(work, rounds))
            path.unlink()


def run_in(process: ProcessPoolExecutor, work: Callable[..., Rate], *arguments: object) -> Rate:
    return process.submit(work, *arguments).result()


def print_head(what: str, rounds: int, contenders: Iterable[str]) -> None:
    first, *others = contenders
    print(f"\n{what}: captures/s, ms of processor time a capture, genlock's speed as a multiple of each")
    print(f"(medians of {rounds} rounds)")
    print(f"{'':8}{'':>8}{first:>18}" + "".join(f"{name:>26}" for name in others))


def print_row(resolution: ColorResolution, rates: dict[str, Rate]) -> None:
    ours, *others = rates.values()
    pool = make_take(resolution, 8)
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
    parser.add_argument("--seconds", type=float, default=1.0, help="of libk4arecord's writing in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--folder", type=Path, action="append", help="where to write; by default a RAM disk, if there is one, and here"
    )
    parser.add_argument("--sustained", type=float, default=10, help="seconds of ten devices at their own pace")
    arguments = parser.parse_args()
    ram_disk = Path("/dev/shm")
    parents = arguments.folder or [folder for folder in (ram_disk, Path.cwd()) if folder.is_dir()]
    for parent in parents:
        with tempfile.TemporaryDirectory(dir=parent) as scratch:
            folder = Path(scratch)
            bench_sustained(folder, arguments.sustained)  # first: later, the peak of memory is somebody else's
            bench_writing(folder, arguments.seconds, arguments.rounds)
            bench_reading(folder, arguments.seconds, arguments.rounds)
            bench_times(folder)


if __name__ == "__main__":
    main()
