"""The small parts of the virtual rig: chance by name, factory calibrations, cables, frames, the lamps' code."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genlock.devices.scenario import StampClock, TimingModel
from genlock.devices.sim.chance import normal, normals, stream_key, uniform, uniforms
from genlock.devices.sim.factory import factory_calibration
from genlock.devices.sim.frames import FrameClock, Heard, PulseTrainSource
from genlock.devices.sim.scene import lamp_code
from genlock.devices.sim.wires import TRIGGER, Cables, PulsePath
from genlock.k4a import ColorResolution, DepthMode
from genlock.k4a.calibration import DeviceCalibration
from genlock.rig import Wire

PERIOD_NSEC = 1e9 / 30


@given(st.integers(0, 2**64 - 1), st.lists(st.integers(0, 10**12), min_size=1, max_size=20))
def test_a_number_of_a_stream_does_not_depend_on_what_else_is_asked(key, indices):
    array = np.array(indices, dtype=np.int64)
    assert uniforms(key, array).tolist() == [uniform(key, index) for index in indices]
    assert np.allclose(normals(key, array), [normal(key, index) for index in indices])


def test_streams_are_even_and_normal():
    numbers = np.arange(100_000, dtype=np.int64)
    even, bell = uniforms(stream_key(1, "a"), numbers), normals(stream_key(1, "b"), numbers)
    # Standard errors: 0.29 / 316 and 1 / 316; five of them.
    assert abs(even.mean() - 0.5) < 0.005 and even.min() >= 0 and even.max() < 1
    assert abs(bell.mean()) < 0.016 and abs(bell.std() - 1) < 0.012
    assert abs(np.corrcoef(even[:-1], even[1:])[0, 1]) < 0.016


def test_streams_differ_by_seed_and_by_every_name():
    keys = {stream_key(seed, *names) for seed in (0, 1) for names in (("a", "b"), ("ab",), ("a",), ("b", "a"))}
    assert len(keys) == 8


@pytest.mark.parametrize("seed", range(3))
def test_factory_calibrations_are_lenses_that_could_have_been_made(seed):
    for number in range(40):
        calibration = DeviceCalibration.from_json(factory_calibration(f"{number:012d}", seed))
        for camera in (
            calibration.depth_camera(DepthMode.NFOV_UNBINNED),
            calibration.color_camera(ColorResolution.RES_1536P),
        ):
            u, v = np.meshgrid(np.linspace(0, camera.width_px - 1, 9), np.linspace(0, camera.height_px - 1, 9))
            _, is_valid = camera.unproject(np.stack([u.ravel(), v.ravel()], axis=1))
            assert is_valid.all(), "every pixel of these modes sees something"
            # The image radius grows with the angle as far as the model reaches.
            radius = np.linspace(0, 0.999 * camera.metric_radius, 200)
            px, _ = camera.project(np.stack([radius, 0 * radius, np.ones(200)], axis=1))
            assert (np.diff(px[:, 0]) > 0).all()
        # Seven real devices: t = (-32.0 to -32.5, -1.7 to -2.2, 3.9 to 4.4) mm, 4.9 to 6.0 degrees.
        t_mm = calibration.T_color_depth.translation_m * 1000
        assert -32.5 <= t_mm[0] <= -32.0 and -2.2 <= t_mm[1] <= -1.7 and 3.9 <= t_mm[2] <= 4.4
        tilt_deg = np.degrees(np.arccos((np.trace(calibration.T_color_depth.rotation) - 1) / 2))
        assert 4.85 <= tilt_deg <= 6.05
        # The color camera looks up against the depth camera: what lies ahead of depth lies below color's axis.
        assert calibration.T_color_depth.apply([0, 0, 1])[1] > 0.05


def test_a_factory_calibration_follows_from_serial_and_seed():
    assert factory_calibration("000000000001", 5) == factory_calibration("000000000001", 5)
    assert factory_calibration("000000000001", 5) != factory_calibration("000000000001", 6)
    assert factory_calibration("000000000001", 5) != factory_calibration("000000000002", 5)


CHAIN = [Wire("M", "A", 2.0), Wire("A", "B", 3.0), Wire("B", "C")]


def cables(wires):
    return Cables(wires, TimingModel(hop_nsec=500, cable_nsec_per_m=5))


def test_every_repeater_and_every_metre_delays_a_pulse():
    chain = cables(CHAIN)
    assert chain.path_to("A", {"M"}.__contains__) == PulsePath("M", 10)
    assert chain.path_to("B", {"M"}.__contains__) == PulsePath("M", 10 + 15 + 500)
    assert chain.path_to("C", {"M"}.__contains__) == PulsePath("M", 10 + 15 + 500 + 500)


def test_nobody_hears_a_master_that_does_not_pulse():
    assert cables(CHAIN).path_to("C", set().__contains__) is None
    assert cables(CHAIN).path_to("M", {"M"}.__contains__) is None


def test_the_nearest_source_upstream_is_heard():
    assert cables(CHAIN).path_to("C", {"M", "B"}.__contains__).source == "B"


def test_a_cable_that_carries_nothing_cuts_off_all_behind_it():
    def carries(wire):
        return wire.destination != "B"

    assert cables(CHAIN).path_to("A", {"M"}.__contains__, carries) is not None
    assert cables(CHAIN).path_to("B", {"M"}.__contains__, carries) is None
    assert cables(CHAIN).path_to("C", {"M"}.__contains__, carries) is None


def test_a_splitter_and_a_trigger_add_no_repeater():
    star = cables([Wire(TRIGGER, "splitter"), Wire("splitter", "A"), Wire("splitter", "B")])
    assert star.path_to("A", {TRIGGER}.__contains__) == star.path_to("B", {TRIGGER}.__contains__)
    assert star.path_to("A", {TRIGGER}.__contains__) == PulsePath(TRIGGER, 0)
    assert star.is_reached_by_trigger("B") and not cables(CHAIN).is_reached_by_trigger("B")


def test_a_loop_of_cables_ends():
    loop = cables([Wire("A", "B"), Wire("B", "C"), Wire("C", "A")])
    assert loop.path_to("A", {"M"}.__contains__) is None


class Ear:
    """Hears one source; deaf between two times."""

    def __init__(self, source=None, delay_nsec=0, cut=None, deaf=None):
        self.source, self.delay_nsec, self.cut, self.deaf = source, delay_nsec, cut, deaf

    def heard_at(self, when_nsec):
        is_cut = self.cut is not None and self.cut[0] <= when_nsec < self.cut[1]
        return None if self.source is None or is_cut else Heard(self.source, self.delay_nsec)

    def is_deaf(self, when_nsec):
        return self.deaf is not None and self.deaf[0] <= when_nsec < self.deaf[1]

    def free_period_nsec(self, when_nsec, source_period_nsec, own_period_nsec):
        return own_period_nsec

    def next_change_nsec(self, after_nsec):
        return min((nsec for nsec in self.cut or () if nsec > after_nsec), default=None)


def frame_clock(armed_nsec=0, ppm=0.0, stamp_clock=StampClock.OWN):
    return FrameClock(armed_nsec, PERIOD_NSEC / (1 + ppm * 1e-6), 3000, stamp_clock)


def advance(clock, ear, count):
    frames = []
    for _ in range(count):
        frame = clock.peek(ear)
        clock.begin(frame, ear)
        frames.append(frame)
    return frames


def test_frames_begin_at_pulses_and_count_from_the_first_one_heard():
    ear = Ear(PulseTrainSource(1_000_000, PERIOD_NSEC), delay_nsec=700)
    frames = advance(frame_clock(armed_nsec=40_000_000), ear, 3)
    # The pulse at 34.3 ms was too early.
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert [frame.pulse_nsec for frame in frames] == [round(1e6 + k * PERIOD_NSEC) + 700 for k in (2, 3, 4)]
    assert [frame.clock_ticks for frame in frames] == [0, 3000, 6000]
    assert all(frame.is_locked for frame in frames)


def test_without_a_first_pulse_there_is_no_frame():
    assert frame_clock().peek(Ear()) is None
    assert frame_clock().peek(Ear(PulseTrainSource(0, PERIOD_NSEC, end_nsec=0))) is None


def test_a_cable_that_is_mended_lets_the_first_pulse_through():
    ear = Ear(PulseTrainSource(0, PERIOD_NSEC), cut=(0, 100_000_001))
    assert frame_clock().peek(ear).pulse_nsec == round(4 * PERIOD_NSEC)


def test_a_cable_that_breaks_before_the_first_pulse_comes_holds_it_back():
    ear = Ear(PulseTrainSource(50_000_000, PERIOD_NSEC), cut=(10_000_000, 60_000_000))
    assert frame_clock().peek(ear).pulse_nsec == round(50_000_000 + PERIOD_NSEC)


def test_when_pulses_end_the_device_goes_on_at_its_own_pace():
    ear = Ear(PulseTrainSource(0, PERIOD_NSEC, end_nsec=round(2.5 * PERIOD_NSEC)))
    frames = advance(frame_clock(ppm=-50), ear, 6)
    assert [frame.is_locked for frame in frames] == [True, True, True, False, False, False]
    gaps_nsec = np.diff([frame.pulse_nsec for frame in frames])[2:]
    assert np.allclose(gaps_nsec, PERIOD_NSEC * (1 + 50e-6), atol=3)


@pytest.mark.parametrize(
    ("stamp_clock", "drift_ticks"), [(StampClock.OWN, 30), (StampClock.DISCIPLINED, 0)], ids=["own", "disciplined"]
)
def test_stamps_of_a_freed_device_drift_or_stay_perfect(stamp_clock, drift_ticks):
    clock = frame_clock(ppm=-100, stamp_clock=stamp_clock)
    advance(clock, Ear(PulseTrainSource(0, PERIOD_NSEC)), 3)
    last = advance(clock, Ear(), 100)[-1]
    # 100 frames are 300 000 ticks; 100 ppm of them 30.
    assert last.clock_ticks - 102 * 3000 == pytest.approx(drift_ticks, abs=1)


def test_pulses_that_come_back_are_followed_again_and_the_clock_stays_true():
    clock = frame_clock(ppm=-100)
    pulses = Ear(PulseTrainSource(0, PERIOD_NSEC))
    advance(clock, pulses, 3)
    free = advance(clock, Ear(), 100)
    again = advance(clock, pulses, 2)
    assert not any(frame.is_locked for frame in free)
    assert all(frame.is_locked for frame in again)
    assert [frame.pulse_nsec for frame in again] == [round(k * PERIOD_NSEC) for k in (103, 104)]
    assert [frame.clock_ticks for frame in again] == [103 * 3000, 104 * 3000]


def test_a_device_that_has_become_deaf_goes_on_alone():
    ear = Ear(PulseTrainSource(0, PERIOD_NSEC), deaf=(50_000_000, 1 << 60))
    frames = advance(frame_clock(), ear, 4)
    assert [frame.is_locked for frame in frames] == [True, True, False, False]


def test_a_missing_pulse_is_bridged():
    ear = Ear(PulseTrainSource(0, PERIOD_NSEC, is_left_out=lambda number, when_nsec: number == 2))
    frames = advance(frame_clock(), ear, 5)
    assert [frame.is_locked for frame in frames] == [True, True, False, True, True]
    assert [frame.clock_ticks for frame in frames] == [0, 3000, 6000, 9000, 12000]


def test_one_lamp_changes_every_millisecond():
    codes = [lamp_code(millisecond / 1000 + 1e-6) for millisecond in range(4097)]
    assert len(set(codes[:4096])) == 4096
    assert all((one ^ other).bit_count() == 1 for one, other in itertools.pairwise(codes))
