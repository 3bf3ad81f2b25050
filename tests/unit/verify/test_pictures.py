"""What a few pictures show, on made-up ones: textured walls, a passer-by, a cap, a knock, too little light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.verify import PictureSample
from genlock.verify.pictures import check_pictures

HEIGHT, WIDTH, SAMPLES = 90, 160, 12


def room(seed: int) -> NDArray[np.float32]:
    """A wall with patches of many grays, wider than any picture of it."""
    patches = np.random.default_rng(seed).uniform(40, 200, (HEIGHT // 9, 2 * WIDTH // 8))
    return np.kron(patches, np.ones((9, 8))).astype(np.float32)


def look(seed: int, number: int, shift_px: int = 0) -> PictureSample:
    gray = room(seed)[:, shift_px : shift_px + WIDTH] + np.random.default_rng(number).normal(0, 2, (HEIGHT, WIDTH))
    return PictureSample(number * 500_000, gray.astype(np.float32), True, 0.6, 8330)


def steady(seed: int) -> list[PictureSample]:
    return [look(seed, number) for number in range(SAMPLES)]


def covered(sample: PictureSample) -> PictureSample:
    return replace(sample, gray=np.zeros((HEIGHT, WIDTH), np.float32), depth_ratio=0.0)


def dimmed(sample: PictureSample, light_ratio: float) -> PictureSample:
    assert sample.gray is not None
    return replace(sample, gray=sample.gray * np.float32(light_ratio ** (1 / 2.2)))


def found(own: Sequence[PictureSample]) -> list[tuple[str, str]]:
    return [(f.code, f.where) for f in check_pictures({"1": own, "2": steady(2), "3": steady(3)})]


def test_steady_pictures_are_told_nothing():
    assert found(steady(1)) == []


@pytest.mark.parametrize("first", [0, 5, SAMPLES - 1])
def test_a_cap_is_told(first: int):
    own = [covered(s) if n >= first else s for n, s in enumerate(steady(1))]
    assert found(own) == [("verify.lens_covered", "device 1")]


def test_caps_on_all_lenses_are_nobodys_fault():
    dark = [covered(sample) for sample in steady(1)]
    assert list(check_pictures({"1": dark, "2": dark})) == []


@pytest.mark.parametrize("shift_px", [2, 5, 60])
@pytest.mark.parametrize("first", [1, 6, SAMPLES - 1])
def test_a_knock_is_told(shift_px: int, first: int):
    own = [look(1, number, shift_px if number >= first else 0) for number in range(SAMPLES)]
    assert found(own) == [("verify.camera_moved", "device 1")]


def test_somebody_close_to_the_camera_in_one_sample_is_no_knock():
    own = steady(1)
    own[6] = replace(own[6], gray=room(99)[:, :WIDTH])
    assert found(own) == []


def test_somebody_who_covers_a_part_of_every_picture_is_no_knock():
    own = []
    for number, sample in enumerate(steady(1)):
        assert sample.gray is not None
        gray = sample.gray.copy()
        gray[20:, 10 * number : 10 * number + 40] = room(50 + number)[20:, :40]
        own.append(replace(sample, gray=gray))
    assert found(own) == []


def test_new_light_is_no_knock():
    own = [dimmed(s, 0.6) if n > 5 else s for n, s in enumerate(steady(1))]
    assert found(own) == []


@pytest.mark.parametrize("first", [0, 6])
def test_a_tenth_of_the_light_is_told(first: int):
    own = [dimmed(s, 0.1) if n >= first else s for n, s in enumerate(steady(1))]
    assert found(own) == [("verify.dark_pictures", "device 1")]


def test_a_shorter_exposure_explains_a_darker_picture():
    own = [replace(dimmed(sample, 0.1), exposure_usec=833) for sample in steady(1)]
    assert found(own) == []


def test_a_device_whose_depth_alone_is_seen_is_judged_by_its_infrared():
    own = [replace(look(1, n, 4 if n > 5 else 0), is_color=False, exposure_usec=0) for n in range(SAMPLES)]
    assert found(own) == [("verify.camera_moved", "device 1")]
