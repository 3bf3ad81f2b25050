"""A jump that holds is a step; a ramp, jitter and a few wild values are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from genlock.sync import find_step

TICK_SIGMA = 0.41


def jitter(size: int, seed: int) -> NDArray[np.float64]:
    """The mean of two errors, each -1, 0 or 1 tick."""
    random = np.random.default_rng(seed)
    return (random.integers(-1, 2, size) + random.integers(-1, 2, size)) / 2


@pytest.mark.parametrize("jump", [-6.0, 5.0, 350.0])
@pytest.mark.parametrize("seed", range(20))
def test_a_jump_is_found_where_it_is(jump: float, seed: int):
    values = jitter(200, seed)
    values[130:] += jump
    step = find_step(values, TICK_SIGMA)
    assert step is not None
    assert abs(step.index - 130) <= 1
    assert step.jump == pytest.approx(jump, abs=0.5)


@pytest.mark.parametrize("ppm", [20, 50, 120])
@pytest.mark.parametrize("seconds", [3, 10])
def test_a_clock_that_runs_free_makes_no_step(ppm: float, seconds: int):
    """Some ramps that end soon after they are noticed look like anything; over these not one of 200 is a step."""
    ramp = np.maximum(0, np.arange(150 + 30 * seconds) - 150) / 30 * ppm * 0.09
    assert not any(find_step(jitter(ramp.size, seed) + ramp, TICK_SIGMA) for seed in range(200))


def test_jitter_alone_makes_no_step():
    assert not any(find_step(jitter(300, seed), TICK_SIGMA) for seed in range(300))


def test_a_jump_there_and_back_is_no_step():
    values = jitter(300, 1)
    values[100:200] += 20
    assert find_step(values, TICK_SIGMA) is None


def test_a_few_wild_values_are_no_step():
    values = jitter(300, 2)
    values[[40, 41, 250]] += 500
    assert find_step(values, TICK_SIGMA) is None
