"""What every backend must keep, as a test class: subclass it and say how to make a backend.

::

    class TestMyBackend(DeviceContract):
        def make_backend(self, rig: Rig) -> Backend:
            return MyBackend(rig)

The tests need two devices, wired as a daisy chain. pytest is imported by whoever runs them, hence here too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from genlock.capture import Capture
from genlock.devices import Backend, ColorControl, ColorControlValue, Device
from genlock.errors import CaptureTimeoutError, DeviceError, DeviceOpenError, DeviceStartError, OpenFailure
from genlock.k4a import DEPTH_GEOMETRY, DepthMode, PowerlineFrequency
from genlock.plan import Plan, make_plan
from genlock.rig import Rig, parse_rig
from genlock.testing.rigs import rig_toml

__all__ = ["DeviceContract"]

MASTER, SUBORDINATE = "000000000001", "000000000002"
EXPOSURE, POWERLINE = ColorControl.EXPOSURE_TIME_ABSOLUTE, ColorControl.POWERLINE_FREQUENCY

# Microsoft's own multi-device test accepts 110 us at 30 fps; one tick of rounding on each side is within it.
TOLERANCE_USEC = 110


def next_whole(device: Device) -> Capture:
    """The device's next capture with color, depth and IR."""
    for _ in range(30):
        capture = device.next_capture(10)
        if len(capture.images) == 3:
            return capture
    raise AssertionError(f"device {device.info.serial}: none of 30 captures has color, depth and IR")


def times_usec(device: Device) -> tuple[int, int]:
    """Color and depth times of its next whole capture."""
    color, depth, _ = next_whole(device).images
    return color.device_timestamp_usec, depth.device_timestamp_usec


class DeviceContract:
    """The tests; override ``make_backend``, and the serials where the devices have others."""

    master = MASTER
    subordinate = SUBORDINATE

    def make_backend(self, rig: Rig) -> Backend:
        """A backend that reaches the rig's two devices."""
        raise NotImplementedError

    def make_rig(self, capture: Mapping[str, object] | None = None) -> Rig:
        """A master and a subordinate; ``capture`` holds keys of ``[capture]`` that differ from ``SMALL_CAPTURE``."""
        text = rig_toml(2, capture)
        return parse_rig(text.replace(MASTER, self.master).replace(SUBORDINATE, self.subordinate))

    @pytest.fixture
    def rig(self) -> Rig:
        """A master and a subordinate."""
        return self.make_rig()

    @pytest.fixture
    def plan(self, rig: Rig) -> Plan:
        """Its plan."""
        return make_plan(rig)

    @pytest.fixture
    def backend(self, rig: Rig) -> Iterator[Backend]:
        """An open backend whose clock waits for the test."""
        with self.make_backend(rig) as backend, backend.clock.participate():
            yield backend

    @pytest.fixture
    def running(self, backend: Backend, plan: Plan) -> Iterator[dict[str, Device]]:
        """Both devices, started in order."""
        devices = {}
        for serial in plan.start_order:
            device = devices[serial] = backend.open(serial)
            # Controls outlast a device's being closed, and automatic exposure would move each device by itself: both
            # get the same, the powerline first.
            for control, value in ((POWERLINE, PowerlineFrequency.HZ_60.sdk_value), (EXPOSURE, 8330)):
                device.set_color_control(control, ColorControlValue(is_manual=True, value=value))
            device.arm(plan.device(serial).config)
            device.start()
        yield devices
        for device in devices.values():
            device.close()

    def test_every_device_of_the_rig_is_listed(self, backend: Backend) -> None:
        """By serial; others may be there too."""
        assert {info.serial for info in backend.devices()} >= {self.master, self.subordinate}

    def test_an_unknown_serial_cannot_be_opened(self, backend: Backend) -> None:
        """And the error says that it was not found."""
        with pytest.raises(DeviceOpenError) as caught:
            backend.open("999999999999")
        assert caught.value.failure is OpenFailure.NOT_FOUND
        assert caught.value.serial == "999999999999"

    def test_a_device_opens_once_at_a_time(self, backend: Backend) -> None:
        """And again after it was closed."""
        first = backend.open(self.master)
        with pytest.raises(DeviceOpenError) as caught:
            backend.open(self.master)
        assert caught.value.failure is OpenFailure.ALREADY_OPEN
        first.close()
        first.close()
        backend.open(self.master).close()

    def test_the_calibration_is_the_factory_json(self, backend: Backend) -> None:
        """Two cameras, no trailing NUL."""
        raw = backend.open(self.master).raw_calibration()
        assert not raw.endswith(b"\0")
        assert len(json.loads(raw)["CalibrationInformation"]["Cameras"]) == 2

    def test_exposure_is_rounded_up_in_the_powerline_table(self, backend: Backend) -> None:
        """8000 us is 8330 us at 60 Hz and 10000 us at 50 Hz."""
        device = backend.open(self.master)
        for powerline, exposure_usec in ((PowerlineFrequency.HZ_60, 8330), (PowerlineFrequency.HZ_50, 10000)):
            device.set_color_control(POWERLINE, ColorControlValue(is_manual=True, value=powerline.sdk_value))
            device.set_color_control(EXPOSURE, ColorControlValue(is_manual=True, value=8000))
            assert device.color_control(EXPOSURE) == ColorControlValue(is_manual=True, value=exposure_usec)

    def test_nothing_runs_before_it_is_armed(self, backend: Backend) -> None:
        """Neither start nor captures."""
        device = backend.open(self.master)
        with pytest.raises(DeviceError):
            device.start()
        with pytest.raises(DeviceError):
            device.next_capture(0.1)

    def test_a_master_without_color_refuses_to_start(self) -> None:
        """As the SDK does, with the reason that it keeps to itself."""
        blind = self.make_rig({"color_resolution": "OFF"})
        with self.make_backend(blind) as backend, backend.clock.participate():
            device = backend.open(self.master)
            device.arm(make_plan(blind).device(self.master).config)
            with pytest.raises(DeviceStartError, match="color") as caught:
                device.start()
            assert caught.value.code == "master_without_color"

    def test_a_device_starts_once(self, running: dict[str, Device]) -> None:
        """A second start is refused and disturbs nothing."""
        with pytest.raises(DeviceStartError):
            running[self.master].start()
        assert running[self.master].next_capture(10).images

    def test_a_subordinate_waits_for_the_master(self, backend: Backend, plan: Plan) -> None:
        """Nothing before the master's first pulse, captures after it."""
        subordinate, master = backend.open(self.subordinate), backend.open(self.master)
        subordinate.arm(plan.device(self.subordinate).config)
        master.arm(plan.device(self.master).config)
        subordinate.start()
        with pytest.raises(CaptureTimeoutError):
            subordinate.next_capture(1.0)
        master.start()
        assert subordinate.next_capture(10).serial == self.subordinate
        assert master.next_capture(10).serial == self.master

    def test_images_lie_where_the_plan_says(self, running: dict[str, Device], plan: Plan) -> None:
        """On one time base, each camera's delay kept to within Microsoft's tolerance."""
        period_usec = plan.device(self.master).config.camera_fps.period_usec
        times = {serial: [times_usec(device) for _ in range(20)] for serial, device in running.items()}
        for master_usec, _ in times[self.master]:
            for serial in running:
                config = plan.device(serial).config
                expected_usec = master_usec + config.subordinate_delay_off_master_ticks * 100 / 9
                color_usec, depth_usec = min(times[serial], key=lambda pair: abs(pair[0] - expected_usec))
                if abs(color_usec - expected_usec) > period_usec / 2:
                    continue  # the devices' first and last captures need not be of the same moment
                assert abs(color_usec - expected_usec) <= TOLERANCE_USEC
                expected_usec += config.depth_delay_off_color_ticks * 100 / 9
                assert abs(depth_usec - expected_usec) <= TOLERANCE_USEC

    def test_images_have_their_modes_sizes(self, running: dict[str, Device]) -> None:
        """16-bit depth and IR, a JPEG as bytes."""
        capture = next_whole(running[self.master])
        size = DEPTH_GEOMETRY[DepthMode.NFOV_2X2BINNED]
        color, *rest = capture.images
        for image in rest:
            assert image.pixels.shape == (size.height_px, size.width_px)
            assert image.pixels.dtype == np.uint16
        assert (color.width_px, color.height_px) == (1280, 720)
        assert bytes(color.pixels[:2]) == b"\xff\xd8"

    def test_captures_count_up_and_time_goes_on(self, running: dict[str, Device]) -> None:
        """Index by index, later and later."""
        stamps = [running[self.subordinate].next_capture(10).stamp for _ in range(10)]
        assert [stamp.index for stamp in stamps] == list(range(10))
        colors_usec = [stamp.color_usec for stamp in stamps if stamp.color_usec is not None]
        assert colors_usec == sorted(set(colors_usec))

    def test_inertial_samples_share_the_images_clock(self, running: dict[str, Device]) -> None:
        """Steps under 900 us, as the SDK's own throughput test demands; within the images' span."""
        color_usec = [times_usec(running[self.master])[0] for _ in range(10)]
        imu_usec = [sample.acc_timestamp_usec for sample in running[self.master].take_imu()]
        assert len(imu_usec) > 100
        assert max(np.diff(imu_usec)) < 900
        assert abs(imu_usec[-1] - color_usec[-1]) < 1_000_000

    def test_after_stop_there_are_no_captures(self, running: dict[str, Device]) -> None:
        """And stop may be said twice."""
        running[self.master].stop()
        running[self.master].stop()
        with pytest.raises(DeviceError):
            running[self.master].next_capture(0.1)

    def test_stop_ends_a_wait_in_another_thread(self, backend: Backend, plan: Plan) -> None:
        """A subordinate that waits for a pulse lets go."""
        device = backend.open(self.subordinate)
        device.arm(plan.device(self.subordinate).config)
        device.start()
        ended = []

        def wait() -> None:
            try:
                device.next_capture(1000)
            except DeviceError as error:
                ended.append(error)

        waiter = backend.clock.start_thread(wait, "waiter")
        backend.clock.sleep(0.5)
        device.stop()
        assert waiter.join(10)
        assert len(ended) == 1

    def test_a_rig_may_be_started_again(self, running: dict[str, Device], plan: Plan) -> None:
        """Subordinates first, master last; the clocks begin anew."""
        first_usec, _ = times_usec(running[self.master])
        for device in running.values():
            device.stop()
        for serial in plan.start_order:
            running[serial].start()
        again = running[self.master].next_capture(10)
        assert again.index == 0
        assert abs(again.images[0].device_timestamp_usec - first_usec) <= 3 * 33_333
