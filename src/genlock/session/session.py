"""One run of a plan: the only place that knows "subordinates first, master last".

::

    NEW ─ open ► OPEN ─ arm ► ARMED ─ start ► RUNNING ─ stop ► STOPPING ─ close ► CLOSED

A session decides no policy: roles and delays come from the plan, verdicts from ``verify``, where captures go from the
sinks that it is handed. Every device is tried before anything is raised, and closing reaches every device and sink.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from genlock.capture import Capture, CaptureSet, CaptureSource, Sink
from genlock.devices import Backend, Device
from genlock.errors import DeviceError, DeviceStartError, RigError, UnworkablePlanError, message_of, reason_of
from genlock.findings import errors_in
from genlock.k4a import WiredSyncMode
from genlock.plan import Plan
from genlock.session.arming import check_jacks, set_controls
from genlock.session.calls import call_within
from genlock.session.diagnosis import (
    FIRST_CAPTURE_TIMEOUT_SEC,
    SILENCE_LIMIT_SEC,
    device_lost,
    fell_silent,
    no_first_capture,
    not_slaved,
    not_slaved_error,
)
from genlock.session.fanout import Lane
from genlock.session.gather import Gatherer
from genlock.session.journal import Journal
from genlock.session.phases import FinishReason, Phase, check_move
from genlock.session.pump import Pump
from genlock.session.status import DeviceStatus, SessionEvent, SessionStatus, SetCounter
from genlock.session.watch import HealthWatch, LossPolicy, sync_lost_error
from genlock.sync import SyncAlarm

__all__ = ["Session"]

logger = logging.getLogger(__name__)

START_TIMEOUT_SEC = 15.0
"""How long one device may take to start its cameras; the SDK takes about a second."""
STOP_TIMEOUT_SEC = 5.0
"""How long one device may take to stop, to let go of its pump, to close."""
OBSERVE_SEC = 0.5
"""How long the subordinates are watched before the master starts. Free ones deliver within 65 to 248 ms of their own
first pulse (SDK issue #1240) and some 50 ms of transfer; the wait ends with the first such capture."""
_LOOK_SEC = 0.5
"""How often a session that waits for captures looks for silent devices and lost plugs."""


class Session:
    """One run: ``with Session(plan, backend) as session: for capture_set in session: ...``.

    Entering opens, arms and starts every device; leaving stops and closes everything, however it is left.

    Args:
        plan: what shall happen; one with findings of severity error is refused with ``UnworkablePlanError``.
        backend: who makes the captures. The session does not close it.
        sinks: who else receives them; closed with the session.
        duration_sec: iteration ends when the reference device's captures span this; ``None``: when stopped.
        on_event: called with everything that a log should hold, always from one thread.
        is_cancelled: asked between sets; once it says true, iteration ends and the run counts as CANCELLED.

        on_loss: what to do when a device no longer follows the master.
        warm_up: exposure is set to automatic before it is set to its manual value: some devices give dark images when
            manual comes first. # unverified on hardware
        first_capture_timeout_sec: how long to wait, after the last start, for a first capture of every device; longer
            when the pulses come from a master that somebody starts on another computer.

    Raises:
        RigError: devices failed; one error for each serial. While the rig runs, the loss of a device other than the
            reference is a finding under ``LossPolicy.MARK``: a take that cannot be repeated goes on without it.
    """

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        *,
        sinks: Sequence[Sink] = (),
        duration_sec: float | None = None,
        on_event: Callable[[SessionEvent], None] = lambda event: None,
        is_cancelled: Callable[[], bool] = lambda: False,
        on_loss: LossPolicy = LossPolicy.MARK,
        warm_up: bool = False,
        first_capture_timeout_sec: float = FIRST_CAPTURE_TIMEOUT_SEC,
    ) -> None:
        errors = errors_in(plan.findings)
        if errors:
            raise UnworkablePlanError(errors)
        self._plan = plan
        self._backend = backend
        self._clock = backend.clock
        self._sinks = tuple(sinks)
        self._duration_sec = duration_sec
        self._journal = Journal(self._clock, on_event)
        self._is_cancelled = is_cancelled
        self._on_loss = on_loss
        self._warm_up = warm_up
        self._first_capture_timeout_sec = first_capture_timeout_sec
        self._phase = Phase.NEW
        self._devices: dict[str, Device] = {}
        self._lanes: dict[str, Lane] = {}
        self._pumps: dict[str, Pump] = {}
        configs = {d.serial: d.config for d in plan.devices}
        self._gatherer = Gatherer(configs, plan.reference_serial, self._clock)
        self._watch = HealthWatch(configs, plan.reference_serial, self._clock)
        self._lost: dict[str, DeviceError] = {}
        self._looked_nsec = 0
        self._sets = 0
        self._complete_sets = 0
        self._participation = ExitStack()
        self.finish_reason: FinishReason | None = None
        """Why the run ended; ``None`` until it has."""
        self.was_lost = False
        """Whether a device stopped following the master while the rig ran."""

    # -- what happens, in order ------------------------------------------------------------------------------------

    def open(self) -> None:
        """Opens every device; tells of all that could not be opened."""
        self._enter_phase(Phase.OPEN)
        self._participation.enter_context(self._clock.participate())

        def open_one(serial: str) -> None:
            self._devices[serial] = self._backend.open(serial)

        self._journal.for_each(
            [d.serial for d in self._plan.devices], open_one, "device_opened", "could not open every device"
        )

    def arm(self) -> None:
        """Checks the jacks against the wiring and sets powerline, exposure and the other color controls, once."""
        self._enter_phase(Phase.ARMED)

        def arm_one(serial: str) -> None:
            planned, device = self._plan.device(serial), self._devices[serial]
            findings = [
                *device.info.findings,
                *check_jacks(planned, device.sync_jacks()),
                *set_controls(planned, device, warm_up=self._warm_up),
            ]
            for finding in findings:
                self._journal.tell(finding)
            wrong = errors_in(findings)
            if wrong:
                raise DeviceStartError(serial, "; ".join(f"{f.message} -> {f.remedy}" for f in wrong), wrong[0].code)
            device.arm(planned.config, imu=planned.imu)

        self._journal.for_each(list(self._devices), arm_one, "device_armed", "the rig is not as its plan says")
        sources = [self._source(serial) for serial in self._devices]
        for sink in self._sinks:
            sink.open(sources)

    def start(self) -> None:
        """Starts the subordinates in cable order, the master last; waits for a first capture of each."""
        self._enter_phase(Phase.RUNNING)

        def start_one(serial: str) -> None:
            if serial == self._plan.reference_serial:
                self._observe_subordinates(serial)
            call_within(self._clock, serial, "start", self._devices[serial].start, START_TIMEOUT_SEC)
            self._start_pump(serial)

        self._journal.for_each(self._plan.start_order, start_one, "device_started", "could not start every device")
        self._journal.log("all_started")
        self._await_first_captures()
        self._tell_changes()

    def __iter__(self) -> Iterator[CaptureSet]:
        """Every capture set in order of time, complete or not, with the images of all devices.

        The first ten are settling (``CaptureSet.is_settling``).
        """
        first_usec: int | None = None
        while not self._is_cancelled():
            capture_set = self._gatherer.next_set(self._has_news, _LOOK_SEC)
            if capture_set is not None:
                first_usec = capture_set.reference_usec if first_usec is None else first_usec
                if self._is_over(capture_set.reference_usec - first_usec):
                    return
                self._count(capture_set)
                yield capture_set
            self._tell_alarms()
            self._raise_if_failed()
            if self._ends_by_loss():
                self.finish_reason = FinishReason.FAILED
                return
            if self._gatherer.has_ended:
                return
        self.finish_reason = FinishReason.CANCELLED

    def stop(self) -> None:
        """Stops every device and lets the sinks take what is under way. Safe twice."""
        if self._phase in (Phase.STOPPING, Phase.CLOSED):
            return
        self._enter_phase(Phase.STOPPING)
        for pump in self._pumps.values():
            pump.tell_to_stop()
        # The master first: subordinates then simply receive no more pulses. The order is free (facts of the SDK's own
        # multi-device test, which stops both ways round).
        serials = [serial for serial in reversed(self._plan.start_order) if serial in self._devices]
        errors = self._journal.try_each(serials, self._stop_one, "device_stopped")
        for serial, pump in self._pumps.items():
            if not pump.join(STOP_TIMEOUT_SEC):
                errors[serial] = DeviceError(serial, f"did not let go within {STOP_TIMEOUT_SEC} s of being stopped")
            self._lanes[serial].close()
        self._tell_alarms()
        errors = {serial: error for serial, error in errors.items() if serial not in self._lost}
        if errors:
            raise RigError("could not stop every device", errors)

    def close(self) -> None:
        """Stops, closes every device and every sink. Safe twice; raises only after all have been reached."""
        if self._phase is Phase.CLOSED:
            return
        with ExitStack() as stack:  # runs every callback, whatever the others raise
            stack.callback(self._participation.close)
            for sink in self._sinks:
                stack.callback(sink.close)
            for serial, device in self._devices.items():
                stack.callback(self._close_one, serial, device)
            stack.callback(self._enter_phase, Phase.CLOSED)
            stack.callback(self.stop)

    # -- what others see -------------------------------------------------------------------------------------------

    @property
    def plan(self) -> Plan:
        """What the session runs."""
        return self._plan

    @property
    def devices(self) -> Mapping[str, Device]:
        """The open devices by serial."""
        return self._devices

    @property
    def counts(self) -> SetCounter:
        """Sets so far: cheaper than a whole status."""
        return SetCounter(self._sets, self._complete_sets)

    @property
    def status(self) -> SessionStatus:
        """A snapshot; may be taken from any thread."""
        health = self._watch.look()
        return SessionStatus(
            phase=self._phase,
            devices={
                serial: DeviceStatus(
                    pump.captures,
                    pump.last_capture_nsec,
                    self._lanes[serial].counts,
                    health[serial],
                    self._lanes[serial].waiting,
                )
                for serial, pump in list(self._pumps.items())
            },
            sets=self._sets,
            complete_sets=self._complete_sets,
            unread_sets=self._gatherer.unread_sets,
            findings=tuple(self._journal.findings),
        )

    def __enter__(self) -> Self:
        try:
            self.open()
            self.arm()
            self.start()
        except BaseException as error:
            self._end(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(error)

    # -- how -------------------------------------------------------------------------------------------------------

    def _end(self, error: BaseException | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.finish_reason = FinishReason.CANCELLED
        elif error is not None:
            self.finish_reason = FinishReason.FAILED
            self._journal.log("failed", detail=message_of(error))
        elif self.finish_reason is None:
            self.finish_reason = FinishReason.COMPLETED
        try:
            self.close()
            if error is None:
                self._raise_if_sinks_failed()
        except Exception as late:
            self.finish_reason = FinishReason.FAILED
            if error is None:
                raise
            logger.error("while closing after another error: %s", message_of(late))

    def _enter_phase(self, phase: Phase) -> None:
        check_move(self._phase, phase)
        self._phase = phase
        logger.info("session is %s", phase.value)
        self._journal.log("phase", detail=phase.value)

    def _source(self, serial: str) -> CaptureSource:
        planned, device = self._plan.device(serial), self._devices[serial]
        return CaptureSource(
            serial=serial,
            config=planned.config,
            imu=planned.imu,
            calibration=device.raw_calibration(),
            color_firmware=device.info.color_firmware,
            depth_firmware=device.info.depth_firmware,
        )

    def _start_pump(self, serial: str) -> None:
        device = self._devices[serial]
        lane = self._lanes[serial] = Lane(serial, self._sinks, self._clock)
        self._pumps[serial] = Pump(
            serial, device, lane, self._clock, self._take, self._gatherer.end, self._watch.on_jacks
        )

    def _take(self, capture: Capture) -> None:
        self._watch.on_stamp(capture.stamp)
        self._gatherer.add(capture)

    def _stop_one(self, serial: str) -> None:
        call_within(self._clock, serial, "stop", self._devices[serial].stop, STOP_TIMEOUT_SEC)

    def _close_one(self, serial: str, device: Device) -> None:
        try:
            call_within(self._clock, serial, "close", device.close, STOP_TIMEOUT_SEC)
        except DeviceError:
            if serial not in self._lost:
                raise

    def _observe_subordinates(self, master: str) -> None:
        """Looks whether a subordinate delivers although its master does not run: then it is not slaved.

        A master that is driven by a trigger passes pulses on before it runs, so that nothing follows there.
        """
        planned = self._plan.device(master)
        if planned.config.wired_sync_mode is not WiredSyncMode.MASTER or planned.jacks.sync_in_connected:
            return
        waiting = dict(self._pumps)
        if not waiting:
            return
        self._gatherer.wait_for(lambda: any(p.captures for p in waiting.values()) or self._must_end(), OBSERVE_SEC)
        free = [serial for serial, pump in waiting.items() if pump.captures]
        for serial in free:
            self._journal.tell(not_slaved(self._plan.device(serial), master))
        if free:
            raise RigError(
                f"not every subordinate waits for the master {master}",
                {serial: not_slaved_error(self._plan.device(serial), master) for serial in free},
            )

    def _await_first_captures(self) -> None:
        """Waits until every device has delivered.

        Pulses may come late, from another computer's master or a generator. Once one device has heard them, all have.
        """
        waited_sec = self._first_capture_timeout_sec
        self._wait_until(lambda: any(pump.captures for pump in self._pumps.values()), waited_sec)
        others_deliver = any(pump.captures for pump in self._pumps.values())
        if others_deliver:
            waited_sec = min(FIRST_CAPTURE_TIMEOUT_SEC, waited_sec)
            self._wait_until(lambda: all(pump.captures for pump in self._pumps.values()), waited_sec)
        self._raise_if_failed()
        silent = [self._plan.device(serial) for serial, pump in self._pumps.items() if pump.captures == 0]
        if not silent or self._is_cancelled():
            return
        if self._lost:  # they ended the wait before its time: of the others nothing is known
            raise RigError("devices failed before every device had delivered", dict(self._lost))
        empty = self._watch.unplugged
        raise RigError(
            "no first capture in time",
            {
                device.serial: no_first_capture(
                    device, waited_sec, others_deliver=others_deliver, reads_empty=device.serial in empty
                )
                for device in silent
            },
        )

    def _wait_until(self, is_so: Callable[[], bool], timeout_sec: float) -> None:
        """Waits for something that comes with a capture, and tells of alarms as they come; a failure ends the wait.

        Raises:
            RigError: there was an alarm, and the policy is not to go on: an epoch without captures would be none.
        """
        end_nsec = self._clock.now_nsec() + round(timeout_sec * 1e9)
        while (left_nsec := end_nsec - self._clock.now_nsec()) > 0:
            step_sec = min(_LOOK_SEC, left_nsec / 1e9)
            if self._gatherer.wait_for(lambda: is_so() or self._must_end(), step_sec):
                return
            alarms = self._tell_alarms()
            if alarms and self._on_loss is not LossPolicy.MARK:
                raise RigError(
                    "sync was lost before every device had delivered", {a.serial: sync_lost_error(a) for a in alarms}
                )

    def _has_failed(self) -> bool:
        return any(p.error is not None for s, p in self._pumps.items() if s not in self._lost) or any(
            lane.error is not None for lane in self._lanes.values()
        )

    def _has_news(self) -> bool:
        return self._must_end() or self._watch.has_alarms

    def _must_end(self) -> bool:
        return self._is_cancelled() or self._has_failed()

    def _is_over(self, span_usec: int) -> bool:
        return self._duration_sec is not None and span_usec >= self._duration_sec * 1e6

    def _count(self, capture_set: CaptureSet) -> None:
        self._sets += 1
        self._complete_sets += capture_set.is_complete
        for sink in self._sinks:
            sink.on_capture_set(capture_set)

    def _raise_if_failed(self) -> None:
        errors: dict[str, Exception] = {
            serial: pump.error for serial, pump in self._pumps.items() if pump.error and serial not in self._lost
        }
        now_nsec = self._clock.now_nsec()
        for serial, pump in self._pumps.items():
            is_awaited = pump.captures and not pump.has_ended
            is_silent = is_awaited and now_nsec - (pump.last_capture_nsec or 0) > SILENCE_LIMIT_SEC * 1e9
            if is_silent and serial not in self._lost and serial not in errors:
                errors[serial] = fell_silent(serial)
        if errors and not self._goes_on_without(errors):
            for serial, error in errors.items():
                self._journal.log("device_lost", serial, detail=reason_of(error))
            raise RigError("devices failed while running", errors)
        self._raise_if_sinks_failed()

    def _goes_on_without(self, errors: Mapping[str, Exception]) -> bool:
        """Whether the run goes on without these devices, which it then counts as lost."""
        others = self._pumps.keys() - self._lost.keys() - errors.keys()
        is_wanted = self._on_loss is LossPolicy.MARK and self._phase is Phase.RUNNING and bool(others)
        lost = {serial: error for serial, error in errors.items() if isinstance(error, DeviceError)}
        if not is_wanted or len(lost) < len(errors) or self._plan.reference_serial in lost:
            return False
        for serial, error in lost.items():
            self._lost[serial] = error
            self._pumps[serial].tell_to_stop()
            self._gatherer.end(serial)
            self._journal.log("device_lost", serial, detail=error.reason)
            self._journal.tell(device_lost(serial, error))
        return True

    def _tell_alarms(self) -> list[SyncAlarm]:
        alarms = self._watch.take_alarms()
        for alarm in alarms:
            self.was_lost = True
            self._journal.tell_alarm(alarm)
        if self._clock.now_nsec() - self._looked_nsec > _LOOK_SEC * 1e9:
            self._tell_changes()
        return alarms

    def _tell_changes(self) -> None:
        self._looked_nsec = self._clock.now_nsec()
        for serial, former, state in self._watch.take_changes():
            self._journal.log("device_state", serial, detail=f"{former} -> {state}")

    def _ends_by_loss(self) -> bool:
        """Whether a device was lost and the policy wants the run to end now."""
        if self._on_loss is LossPolicy.RESTART:
            return self.was_lost and not self._watch.unplugged
        return self.was_lost and self._on_loss is LossPolicy.STOP

    def _raise_if_sinks_failed(self) -> None:
        errors = {serial: lane.error for serial, lane in self._lanes.items() if lane.error is not None}
        if errors:
            raise RigError("what was captured could not be handed on", errors)
