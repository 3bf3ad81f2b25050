"""The SDK's own record and playback tests, mirrored: each file written by both, read by both, equal answers.

Source of the table: ``tests/RecordTests`` of the SDK 1.4 (its sample recordings and what its playback test asks of
them). Times are the same; images are of smaller modes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from conformance.sdk import CustomSubtitle, CustomVideo, Sdk, SdkError, SdkPlayback
from genlock.capture import Capture, ImuSample
from genlock.errors import RecordingError
from genlock.k4a import DeviceConfig, WiredSyncMode
from genlock.recording import RecordingReader, RecordingWriter
from genlock.recording.cursor import CaptureCursor
from genlock.recording.layout import make_tracks
from support.recordings import CONFIGS, SMALL_CONFIG, assert_same_captures, imu_values, make_capture, make_captures

PERIOD_USEC = 33_333
FRAMES = 100


@dataclass(frozen=True)
class Recipe:
    """One of the SDK's sample recordings."""

    config: DeviceConfig
    captures: tuple[Capture, ...]
    imu: tuple[ImuSample, ...] = ()
    flush_every: int | None = None


def triples(config: DeviceConfig, first_usec: int, depth_later_usec: int, count: int = FRAMES) -> tuple[Capture, ...]:
    starts = [first_usec + index * PERIOD_USEC for index in range(count)]
    return tuple(make_capture(config, index, usec, usec + depth_later_usec) for index, usec in enumerate(starts))


def samples(first_usec: int, last_usec: int) -> tuple[ImuSample, ...]:
    times = range(first_usec, last_usec, 1000)
    return tuple(ImuSample(usec, (0.5, -9.75, usec % 64), usec, (0.25, 0.0, 1.0)) for usec in times)


def skipping() -> tuple[Capture, ...]:
    captures = []
    for index in range(FRAMES):
        if index % 4 != 2:
            usec = 1_000_000 + index * PERIOD_USEC
            color, depth = index % 4 != 0, index % 4 != 1
            captures.append(make_capture(SMALL_CONFIG, index, usec, usec + 1000, color=color, depth=depth))
    return tuple(captures)


DELAYED = replace(SMALL_CONFIG, depth_delay_off_color_usec=10_000)
SUBORDINATE = replace(SMALL_CONFIG, wired_sync_mode=WiredSyncMode.SUBORDINATE, subordinate_delay_off_master_usec=10_000)
END_USEC = FRAMES * PERIOD_USEC

RECIPES: dict[str, Callable[[], Recipe]] = {
    "full": lambda: Recipe(SMALL_CONFIG, triples(SMALL_CONFIG, 0, 1000), samples(1150, END_USEC)),
    "delay": lambda: Recipe(DELAYED, triples(DELAYED, 0, 10_000), samples(1150, END_USEC)),
    "sub": lambda: Recipe(SUBORDINATE, triples(SUBORDINATE, 10_000, 0, count=1)),
    "skips": lambda: Recipe(SMALL_CONFIG, skipping(), samples(1000, 1001), flush_every=7),
    "offset": lambda: Recipe(
        SMALL_CONFIG, triples(SMALL_CONFIG, 1_000_000, 0), samples(1_001_150, 1_000_000 + END_USEC)
    ),
    "color_only": lambda: Recipe(CONFIGS["color_only"], tuple(make_captures(CONFIGS["color_only"], 1, 0))),
    "depth_only": lambda: Recipe(
        CONFIGS["subordinate_depth_only"], tuple(make_captures(CONFIGS["subordinate_depth_only"], 1, 0))
    ),
    "bgra_color": lambda: Recipe(CONFIGS["bgra"], tuple(make_captures(CONFIGS["bgra"], 1, 0))),
}


def write_by_genlock(sdk: Sdk, path: Path, recipe: Recipe) -> None:
    with RecordingWriter(
        path,
        recipe.config,
        serial=None,
        calibration=None,
        color_firmware=None,
        depth_firmware=None,
        imu=bool(recipe.imu),
    ) as writer:
        write_all(writer, recipe)


def write_by_sdk(sdk: Sdk, path: Path, recipe: Recipe) -> None:
    with sdk.recorder(path, recipe.config, imu=bool(recipe.imu)) as recorder:
        write_all(recorder, recipe)


def write_all(writer: object, recipe: Recipe) -> None:
    """In order of time, as a device delivers: what lies before a capture comes before it."""
    waiting = list(recipe.imu)
    for number, capture in enumerate(recipe.captures):
        first_usec = min(image_times(capture))
        due = [sample for sample in waiting if sample.acc_timestamp_usec <= first_usec]
        writer.write_imu(due) if due else None  # type: ignore[attr-defined]
        del waiting[: len(due)]
        writer.write_capture(capture)  # type: ignore[attr-defined]
        if recipe.flush_every and number % recipe.flush_every == 0:
            writer.flush()  # type: ignore[attr-defined]
    if waiting:
        writer.write_imu(waiting)  # type: ignore[attr-defined]


WRITERS = {"genlock": write_by_genlock, "sdk": write_by_sdk}


@cache
def recipe_of(name: str) -> Recipe:
    return RECIPES[name]()


@pytest.fixture(scope="module")
def recorded(sdk: Sdk, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """The file of a recipe by a writer, written once."""
    folder = tmp_path_factory.mktemp("recorded")

    def record(name: str, writer: str) -> Path:
        path = folder / f"{name}-{writer}.mkv"
        if not path.exists():
            WRITERS[writer](sdk, path, recipe_of(name))
        return path

    return record


each_recipe = pytest.mark.parametrize("name", RECIPES)
each_writer = pytest.mark.parametrize("writer", WRITERS)


def times(capture: Capture | None) -> tuple[int | None, ...] | None:
    """Device times of color, depth, IR; ``None`` for no capture."""
    if capture is None:
        return None
    images = (capture.color, capture.depth, capture.ir)
    return tuple(None if image is None else image.device_timestamp_usec for image in images)


@each_writer
@each_recipe
def test_header_length_and_every_capture_are_the_same(
    sdk: Sdk, recorded: Callable[[str, str], Path], name: str, writer: str
) -> None:
    recipe, path = recipe_of(name), recorded(name, writer)
    with RecordingReader(path) as reader, sdk.playback(path) as playback:
        found = playback.config()
        assert reader.config == found.config == recipe.config
        assert reader.start_offset_usec == found.start_offset_usec
        assert reader.duration_usec == playback.length_usec()
        for tag in ("K4A_COLOR_MODE", "K4A_DEPTH_MODE", "K4A_IR_MODE", "K4A_WIRED_SYNC_MODE"):
            assert reader.tags.get(tag) == playback.tag(tag)
        played = list(playback.captures())
        assert_same_captures(played, list(recipe.captures))
        assert_same_captures(list(reader.captures()), played)
        assert imu_values(list(reader.imu())) == imu_values(list(recipe.imu))
        assert imu_values(list(playback.imu())) == imu_values(list(recipe.imu))


@each_writer
@each_recipe
def test_every_seek_then_next_and_previous_are_the_same(
    sdk: Sdk, recorded: Callable[[str, str], Path], name: str, writer: str
) -> None:
    recipe, path = recipe_of(name), recorded(name, writer)
    first_usec = min([*image_times(recipe.captures[0]), *(sample.acc_timestamp_usec for sample in recipe.imu[:1])])
    with RecordingReader(path) as reader, sdk.playback(path) as playback:
        cursor = reader.cursor()
        walk(cursor, playback, "nnpp")
        for place in sorted({0, 1, len(recipe.captures) // 2, len(recipe.captures) // 2 + 1, len(recipe.captures) - 1}):
            if place >= len(recipe.captures):
                continue
            capture = recipe.captures[place]
            # Near an end, one step: sent past an end twice, Microsoft's playback loses its place and skips a cluster.
            walks = ("nnpp", "ppnn") if 2 < place < len(recipe.captures) - 3 else ("n", "p")
            for image_usec in set(image_times(capture)):
                for around_usec in (-PERIOD_USEC, -250, -1, 0, 1, 500, 9_000, PERIOD_USEC // 2):
                    target_usec = max(image_usec + around_usec, first_usec)
                    for steps in walks:
                        playback.seek(target_usec, origin=2)
                        cursor.seek(target_usec)
                        walk(cursor, playback, steps, f"seek {target_usec}")
                    if recipe.imu:
                        playback.seek(target_usec, origin=2)
                        assert imu_values(list(reader.imu(target_usec)))[:1] == imu_values(first_of(playback))


def image_times(capture: Capture) -> list[int]:
    return [image.device_timestamp_usec for image in capture.images]


def first_of(playback: SdkPlayback) -> list[ImuSample]:
    return [sample for _, sample in zip(range(1), playback.imu(), strict=False)]


def walk(cursor: CaptureCursor, playback: SdkPlayback, steps: str, place: str = "start") -> None:
    for number, step in enumerate(steps):
        mine = cursor.next() if step == "n" else cursor.previous()
        theirs = playback.next_capture() if step == "n" else playback.previous_capture()
        assert times(mine) == times(theirs), f"{place}, {steps[: number + 1]}"


@each_writer
@pytest.mark.parametrize("name", ["full", "delay", "skips", "offset"])
def test_all_the_way_back_from_the_end_and_forth_again(
    sdk: Sdk, recorded: Callable[[str, str], Path], name: str, writer: str
) -> None:
    recipe, path = recipe_of(name), recorded(name, writer)
    with RecordingReader(path) as reader, sdk.playback(path) as playback:
        cursor = reader.cursor()
        cursor.seek_to_end()
        playback.seek(0, origin=1)
        walk(cursor, playback, "n" + "p" * (len(recipe.captures) + 1) + "n" * (len(recipe.captures) + 1) + "p")
        cursor.seek_to_start()
        playback.seek(0)
        walk(cursor, playback, "pn")


@pytest.mark.parametrize(
    ("name", "start_offset_usec", "length_usec"),
    [("full", 0, 3_333_150), ("sub", 10_000, 0), ("skips", 1000, 4_299_967), ("offset", 1_000_000, 3_333_150)],
)
def test_offsets_and_lengths_are_those_of_the_table(
    recorded: Callable[[str, str], Path], name: str, start_offset_usec: int, length_usec: int
) -> None:
    with RecordingReader(recorded(name, "genlock")) as reader:
        assert (reader.start_offset_usec, reader.duration_usec) == (start_offset_usec, length_usec)


def test_captures_from_a_time_on_count_as_all_captures_do(recorded: Callable[[str, str], Path]) -> None:
    with RecordingReader(recorded("offset", "genlock")) as reader:
        every = [(capture.index, times(capture)) for capture in reader.captures()]
        assert [(c.index, times(c)) for c in reader.captures(1_000_000 + 40 * PERIOD_USEC)] == every[40:]
        assert [(c.index, times(c)) for c in reader.captures(0)] == every
        assert list(reader.captures(10**9)) == []


def test_a_recording_without_tracks_is_refused_by_both(sdk: Sdk, tmp_path: Path) -> None:
    with sdk.recorder(tmp_path / "empty.mkv", DeviceConfig()):
        pass
    with pytest.raises(SdkError), sdk.playback(tmp_path / "empty.mkv"):
        pass
    with pytest.raises(RecordingError, match="has no tracks"), RecordingReader(tmp_path / "empty.mkv"):
        pass


def test_depth_and_ir_as_custom_tracks_are_depth_and_ir(sdk: Sdk, tmp_path: Path) -> None:
    """Little-endian, calling itself YUY2; beside it a track of plain subtitles and one of high-frequency data."""
    depth_config = CONFIGS["subordinate_depth_only"]
    width, height = 320, 288
    tracks = make_tracks(depth_config, imu=False)
    private = tracks[0].codec_private.replace(b"b16g", b"YUY2")
    custom = [
        CustomVideo("DEPTH", private, width, height, 30),
        CustomVideo("IR", private, width, height, 30),
        CustomSubtitle("NOTES", is_high_frequency=False),
        CustomSubtitle("FAST", is_high_frequency=True),
    ]
    captures = make_captures(depth_config, 20)
    tags = [("K4A_DEPTH_MODE", "NFOV_2X2BINNED"), ("K4A_IR_MODE", "ACTIVE")]
    path = tmp_path / "take.mkv"
    with sdk.recorder(path, DeviceConfig(), tags=tags, custom_tracks=custom) as recorder:
        for capture in captures:
            assert capture.depth and capture.ir
            usec = capture.depth.device_timestamp_usec
            recorder.write_block("DEPTH", usec, capture.depth.pixels.tobytes())
            recorder.write_block("IR", usec, capture.ir.pixels.tobytes())
            recorder.write_block("NOTES", usec, b"note %d" % capture.index)
            for place in range(10):
                recorder.write_block("FAST", usec + place * 3_000, b"%02d %04d" % (place, capture.index))
    with RecordingReader(path) as reader, sdk.playback(path) as playback:
        played = list(playback.captures())
        assert_same_captures(played, captures)
        assert_same_captures(list(reader.captures()), captures)
        for track in ("NOTES", "FAST"):
            playback.seek(0)
            assert [tuple(block) for block in reader.blocks(track)] == list(playback.blocks(track))
        with pytest.raises(KeyError):
            next(reader.blocks("NOBODY"))
