from __future__ import annotations

import numpy as np
import pytest

from genlock.sync import fit_arrivals, fit_drift

PERIOD_USEC = 33333


def ticks(times_usec: np.ndarray) -> np.ndarray:
    """As a device would stamp it."""
    return np.floor(np.rint(times_usec * 0.09) / 0.09)


@pytest.mark.parametrize("ppm", [0.0, 0.5, -5.0, 390.0])
def test_the_slope_is_found_within_five_of_its_own_sigmas(ppm: float) -> None:
    random = np.random.default_rng(7)
    reference = np.arange(3000) * PERIOD_USEC
    device = reference * (1 + ppm * 1e-6) + random.normal(0, 12, reference.size)
    fit = fit_drift(reference, ticks(device) - ticks(reference))
    assert fit is not None
    # Five sigmas are missed once in two million tries; the seed is fixed.
    assert abs(fit.drift_ppm - ppm) < 5 * fit.standard_error_ppm
    # Noise of 12 us and a tick of 11.1 us: sigma = sqrt(144 + 11.1^2 / 6) = 12.8 us over 100 s.
    assert fit.standard_error_ppm == pytest.approx(12.8e6 / np.sqrt(3000 * (1e8**2) / 12), rel=0.15)


def test_its_standard_error_covers_the_truth() -> None:
    reference = np.arange(600) * PERIOD_USEC
    misses = []
    for seed in range(200):
        device = reference * (1 + 3e-6) + np.random.default_rng(seed).normal(0, 15, reference.size)
        fit = fit_drift(reference, ticks(device) - reference)
        assert fit is not None
        misses.append((fit.drift_ppm - 3) / fit.standard_error_ppm)
    # A robust fit leaves a few good samples out, so its true sigma is a little larger than it says; the sample sigma of
    # 200 draws is itself uncertain by 5 %.
    assert 0.8 < np.std(misses) < 1.25


def test_wrong_pairs_do_not_tilt_the_line() -> None:
    random = np.random.default_rng(3)
    reference = np.arange(1000) * PERIOD_USEC
    difference = 2e-6 * reference + random.normal(0, 10, reference.size)
    clean = fit_drift(reference, difference)
    difference[900:] += 15_000  # a tenth of the pairs is wrong, all at one end
    dirty = fit_drift(reference, difference)
    assert clean is not None
    assert dirty is not None
    assert dirty.outliers >= 100
    assert abs(dirty.drift_ppm - 2) < 5 * dirty.standard_error_ppm


def test_a_constant_difference_is_an_offset_and_no_drift() -> None:
    reference = np.arange(100) * PERIOD_USEC
    fit = fit_drift(reference, np.full(100, 2000.0))
    assert fit is not None
    assert fit.drift_ppm == pytest.approx(0, abs=1e-9)
    assert fit.start_usec == pytest.approx(2000)
    # Even a difference that never leaves its tick is not known better than a tick.
    assert fit.standard_error_ppm > 0


@pytest.mark.parametrize(
    ("times", "difference"),
    [([], []), ([0, 1], [0.0, 1.0]), ([5, 5, 5], [1.0, 2.0, 3.0]), ([0, 1, 2, 3], [1.0, np.nan, np.nan, 2.0])],
)
def test_too_little_to_fit_gives_nothing(times: list[int], difference: list[float]) -> None:
    assert fit_drift(np.array(times, dtype=np.int64), np.array(difference)) is None


def test_arrivals_tell_how_the_hosts_clock_runs_against_the_devices() -> None:
    random = np.random.default_rng(11)
    device = np.arange(18_000) * PERIOD_USEC
    # 390 ppm are reported in SDK issue #1384; arrivals jitter by milliseconds (#1665).
    arrival = (device * (1 + 390e-6) * 1000 + 20e6 + random.exponential(2e6, device.size)).astype(np.int64)
    arrival[::7] = -1
    fit = fit_arrivals(device, arrival)
    assert fit is not None
    assert abs(fit.drift_ppm - 390) < 1
    assert fit.samples == np.count_nonzero(arrival >= 0)


def test_arrivals_that_nobody_wrote_down_give_nothing() -> None:
    assert fit_arrivals(np.arange(10), np.full(10, -1)) is None
