"""Rules for captures that are not there: who lost them, when, and together with whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from genlock.k4a import WiredSyncMode
from genlock.verify.case import Case, Cause, Certainty, Diagnosis
from genlock.verify.measure import DeviceMeasures

__all__ = ["drops", "ended_early", "trigger_gaps", "usb_starvation"]

_EARLY_USEC = 1_000_000
_MANY_RATIO = 0.01
_SOME_RATIO = 0.005
"""Single losses are normal; as many as this are worth a word, no more."""
_STARVED_RATIO = 0.05
_BURST = 5
"""Captures lost in a row that one hiccup of the bus explains, and chance does not."""
_ALIKE_RATIO = 0.8
"""Share of its lost moments that a device has in common with the others when a cause outside of it took them."""


def ended_early(case: Case) -> Iterator[Diagnosis]:
    """Devices whose captures end before the take does."""
    if case.measures is None or not case.evidence.is_session:
        return
    if case.named("verify.no_common_span"):
        return  # their times say nothing of each other
    gone = {alarm.serial: alarm.message for alarm in case.evidence.alarms if alarm.evidence is None}
    for measured in case.measures.devices:
        serial, last_usec = measured.device.serial, measured.last_usec
        # A device that the log saw go away had not ended, whenever its computer's others did.
        end_usec = case.end_usec() if serial in gone else case.end_usec(of_recorder_of=measured.device)
        if last_usec is None or end_usec is None or (end_usec - last_usec < _EARLY_USEC and serial not in gone):
            continue
        where = f"device {serial}"
        message = gone.get(serial, "")
        evidence = [f"its last capture is of {last_usec / 1e6:.2f} s; the take goes on to {end_usec / 1e6:.2f} s"]
        if message:
            evidence.append(f"the session's log: {message}")
        is_master = measured.device.config.wired_sync_mode is WiredSyncMode.MASTER
        is_silent = "no capture for" in message
        cause = Cause.MASTER_DIED if is_master else Cause.DEVICE_HUNG if is_silent else Cause.DEVICE_UNPLUGGED
        what = {
            Cause.MASTER_DIED: "the master died",
            Cause.DEVICE_HUNG: f"{where} stopped delivering, although it was still there,",
            Cause.DEVICE_UNPLUGGED: f"{where} went away",
        }[cause]
        yield Diagnosis(
            cause,
            Certainty.SURE if message else Certainty.LIKELY,
            where,
            f"{what} at {last_usec / 1e6:.1f} s",
            tuple(evidence),
            "Check its power supply, its USB cable and port; unplug its power and plug it in again. Use the take up to "
            "then, or without this device.",
            last_usec,
        )


def trigger_gaps(case: Case) -> Iterator[Diagnosis]:
    """Moments that every device lacks: the trigger did not give them."""
    if case.measures is None or any(d.config.wired_sync_mode is WiredSyncMode.MASTER for d in case.devices):
        return
    if len(case.measures.devices) < 2:
        return
    timeline = case.measures.timeline
    nobody = timeline.is_settled & ~np.any([d.is_present for d in case.measures.devices], axis=0)
    if nobody.any():
        first_usec = int(timeline.moment_usec[nobody][0])
        yield Diagnosis(
            Cause.TRIGGER_GAPS,
            Certainty.LIKELY,
            "rig",
            f"the external trigger left out pulses, first at {first_usec / 1e6:.1f} s",
            (f"{nobody.sum()} moments are missing on every device",),
            "Check the generator's output and its cable; a device keeps running without pulses, but nothing ties it.",
            first_usec,
        )


def usb_starvation(case: Case) -> Iterator[Diagnosis]:
    """Many losses on one host, or captures that come with one image of two."""
    for host, devices in _by_host(case).items():
        starved = [d for d in devices if case.missing_ratio(d) > _STARVED_RATIO]
        partial = [d for d in devices if _partial(case, d) > 0]
        for measured in devices:
            if measured.last_usec is None and measured.device.imu_usec.size:
                yield _only_inertial(measured)
        if not starved and not partial:
            continue
        if starved and not partial and len(starved) < max(2, len(devices) / 2):
            continue  # one device among several that are well: its own affair
        where = f"host {host}" if host else "rig"
        listed = ", ".join(
            f"{d.device.serial}: {100 * case.missing_ratio(d):.1f} %"
            for d in sorted(devices, key=lambda d: d.device.serial)
        )
        evidence = [f"moments without a whole capture: {listed}"]
        if partial:
            counts = ", ".join(f"{d.device.serial}: {_partial(case, d)}" for d in partial)
            evidence.append(f"captures with one image of two, which the SDK lets go when its queues are full: {counts}")
        names = ", ".join(d.device.serial for d in (starved or partial))
        yield Diagnosis(
            Cause.USB_STARVATION,
            Certainty.LIKELY,
            where if len(starved or partial) > 1 else f"device {names}",
            f"the USB bus or the processor did not keep up with {names}",
            tuple(evidence),
            "Give each device a USB controller of its own, lower camera_fps or color_resolution, close other programs.",
        )


def _only_inertial(measured: DeviceMeasures) -> Diagnosis:
    where = f"device {measured.device.serial}"
    return Diagnosis(
        Cause.USB_STARVATION,
        Certainty.LIKELY,
        where,
        f"no image of {where} came through, although it was running",
        ("its inertial samples were recorded: its clock was started, by a pulse where it needs one",),
        "Give the device a USB controller of its own, another cable, more power; lower camera_fps or color_resolution.",
    )


def drops(case: Case) -> Iterator[Diagnosis]:
    """Losses of single devices: in a burst, or spread over the take."""
    starved = {d.device.serial for devices in _by_host(case).values() for d in devices if _partial(case, d) > 0}
    for measured in case.measures.devices if case.measures else ():
        serial = measured.device.serial
        where = f"device {serial}"
        runs = case.missing_runs(measured)
        lost = sum(length for _, length in runs)
        if not lost or serial in starved or _is_shared(case, measured):
            continue
        longest = max(runs, key=lambda run: run[1])
        if longest[1] >= _BURST:
            yield Diagnosis(
                Cause.BURST_DROPS,
                Certainty.LIKELY,
                where,
                f"{where} lost {longest[1]} captures in a row at {longest[0] / 1e6:.1f} s",
                (_counted(lost, runs),),
                "Look for what the host did then (disk, other programs, USB resets in its log); shorten USB cables.",
                longest[0],
            )
        elif case.missing_ratio(measured) > _SOME_RATIO:
            is_much = case.missing_ratio(measured) > _MANY_RATIO
            yield Diagnosis(
                Cause.RANDOM_DROPS,
                Certainty.LIKELY if is_much else Certainty.POSSIBLE,
                where,
                f"{where} lost {'captures' if lost > 1 else 'a capture'} here and there",
                (f"{_counted(lost, runs)}, the longest of {longest[1]}",),
                "Give it a USB controller of its own, another USB cable, more CPU to its host.",
            )


def _counted(lost: int, runs: Sequence[tuple[int, int]]) -> str:
    are = "1 capture is" if lost == 1 else f"{lost} captures are"
    return f"{are} missing in {len(runs)} {'gap' if len(runs) == 1 else 'gaps'}"


def _by_host(case: Case) -> Mapping[str, list[DeviceMeasures]]:
    """Devices by the host of the plan, else by the one that their recordings name."""
    hosts: dict[str, list[DeviceMeasures]] = {}
    planned = {d.serial: d.host for d in case.plan.devices} if case.plan else {}
    for measured in case.measures.devices if case.measures else ():
        tagged = measured.device.tags.get("GENLOCK_HOST", "")
        hosts.setdefault(planned.get(measured.device.serial) or tagged, []).append(measured)
    return hosts


def _partial(case: Case, measured: DeviceMeasures) -> int:
    """Settled captures that lack an image, beyond a stray one."""
    if case.measures is None:
        return 0
    count = int((case.measures.timeline.is_settled & measured.is_present & ~measured.is_whole).sum())
    return count if count > 2 else 0


def _is_shared(case: Case, measured: DeviceMeasures) -> bool:
    """Whether most of what it lacks is lacking on every other device too."""
    if case.measures is None:
        return False
    timeline = case.measures.timeline
    lost = timeline.is_settled & ~measured.is_present
    alike, is_anybody_there = lost.copy(), np.zeros(lost.shape, dtype=np.bool_)
    for other in case.measures.devices:
        if other is not measured and other.last_usec is not None:
            # A device that went away says nothing of the moments after its end.
            was_there = timeline.moment_usec <= other.last_usec
            alike &= ~(other.is_present & was_there)
            is_anybody_there |= was_there
    alike &= is_anybody_there
    return bool(alike.sum() > _ALIKE_RATIO * lost.sum())
