"""Coverage-guided fuzzing of what reads and repairs recordings.

    pip install atheris
    python benchmarks/fuzz_recording.py [--seconds 300] [--corpus DIR]

Any bytes must give a recording that can be asked everything, or a ``RecordingError`` of one line: no other exception,
no input that takes longer than 10 s or more than 1 GB. What breaks that is written to the working folder as
``crash-...``, ``timeout-...`` or ``oom-...``; give its path instead of options to run it again. The corpus begins with
small recordings made here, and with the one of a killed libk4arecord where it lies beside the checkout.

The default test run does the same with mutations by hypothesis, for seconds (``tests/unit/recording``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

with atheris.instrument_imports(include=["genlock.recording"], enable_loader_override=False):
    from genlock.recording import RecordingReader, digest_recording, inspect_recording, repair_recording

from genlock.errors import RecordingError
from support.recordings import CONFIGS, SHARED, make_captures, make_imu, write_recording

MAX_SECONDS = 10
MAX_MEMORY_MB = 1024
RAM_DISK = Path("/dev/shm")


def check(path: Path) -> None:
    """Asks a file everything; raises whatever it should not."""
    try:
        captures = ask_everything(path)
    except RecordingError as error:
        if "\n" in str(error):
            raise ValueError("the message has several lines") from error
        captures = 0
    if captures > path.stat().st_size // 6:  # a block's head takes that much
        raise ValueError(f"{captures} captures in {path.stat().st_size} bytes")
    repaired = path.with_suffix(".repaired.mkv")
    repaired.unlink(missing_ok=True)
    try:
        result = repair_recording(path, repaired)
    except RecordingError:
        return
    if digest_recording(repaired).root != result.digest_root:
        raise ValueError("the repaired file is not what its digest says")
    if captures > ask_everything(repaired):
        raise ValueError("the repaired file has fewer captures than the damaged one")


def ask_everything(path: Path) -> int:
    with RecordingReader(path) as reader:
        stamps = reader.stamps()
        captures = sum(1 for _ in reader.captures())
        if captures != len(stamps.color_usec) or captures != sum(1 for _ in reader.views()):
            raise ValueError("stamps and captures differ in number")
        if sum(1 for _ in reader.imu()) != len(reader.imu_usec()):
            raise ValueError("inertial samples and their times differ in number")
        begin_usec = reader.start_offset_usec
        list(reader.excerpt(begin_usec, begin_usec + reader.duration_usec // 2))
        cursor = reader.cursor()
        cursor.seek_to_end()
        while cursor.previous() is not None:
            pass
        for track in reader.tracks:
            list(reader.blocks(track.name))
    inspect_recording(path).to_text()
    digest_recording(path)
    return captures


def make_corpus(folder: Path) -> None:
    """Small recordings, whole and cut, to begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = folder / "whole.mkv"
    if not whole.exists():
        config = CONFIGS["color_only"]
        captures = make_captures(config, 4)
        small = [c.color.pixels[:40] for c in captures if c.color]
        for capture, pixels in zip(captures, small, strict=True):
            object.__setattr__(capture.color, "pixels", pixels)  # the reader looks into no JPEG
        write_recording(whole, config, captures, make_imu(990_000, 40))
    content = whole.read_bytes()
    for share in (0.3, 0.6, 0.95):
        (folder / f"cut-{share}.mkv").write_bytes(content[: int(share * len(content))])
    killed = SHARED / "killed_recorder.mkv"
    if killed.exists():
        (folder / "killed.mkv").write_bytes(killed.read_bytes()[:12_000])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", type=Path, help="files to check once, instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--corpus", type=Path, help="kept and added to; by default a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=RAM_DISK if RAM_DISK.is_dir() else None) as scratch:
        for path in arguments.inputs:
            copy = Path(scratch) / "input.mkv"
            copy.write_bytes(path.read_bytes())
            check(copy)
            print(f"{path}: fine")
        if arguments.inputs:
            return
        corpus = arguments.corpus or Path(scratch) / "corpus"
        make_corpus(corpus)
        path = Path(scratch) / "input.mkv"

        def check_bytes(content: bytes) -> None:
            path.write_bytes(content)
            check(path)

        limits = [f"-timeout={MAX_SECONDS}", f"-rss_limit_mb={MAX_MEMORY_MB}", f"-max_total_time={arguments.seconds}"]
        atheris.Setup([sys.argv[0], *limits, "-max_len=40000", str(corpus)], check_bytes)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
