"""A device's live state from its stamps, jacks and arrivals."""

from dataclasses import replace

import numpy as np
import pytest

from genlock.capture import Stamp
from genlock.k4a import SyncJacks
from genlock.sync import HealthState, LossEvidence, RigHealth, SyncAlarm
from genlock.testing.stamps import StampFaults, StampStream, make_rig_stamps, rig_configs

PLUGGED, UNPLUGGED = SyncJacks(True, True), SyncJacks(False, True)
MASTER, FIRST, SECOND = rig_configs(3)


def in_order(streams: tuple[StampStream, ...]) -> list[Stamp]:
    stamps = [stamp for stream in streams for stamp in stream.stamps()]
    return sorted(stamps, key=lambda stamp: (stamp.color_usec or stamp.depth_usec or 0, stamp.serial))


def play(streams: tuple[StampStream, ...]) -> tuple[RigHealth, list[SyncAlarm], int]:
    """Every stamp, 40 ms after its exposure; the health afterwards, its alarms, and the time then."""
    health = RigHealth({stream.serial: stream.config for stream in streams}, streams[0].serial)
    alarms: list[SyncAlarm] = []
    host_nsec = 0
    for stamp in in_order(streams):
        host_nsec = (stamp.color_usec or stamp.depth_usec or 0) * 1000 + 40_000_000
        alarms += health.add(stamp, host_nsec)
    return health, alarms, host_nsec


def states(health: RigHealth, host_nsec: int) -> dict[str, HealthState]:
    return {serial: device.state for serial, device in health.look(host_nsec).items()}


def test_every_device_waits_then_settles_then_is_locked():
    health = RigHealth(rig_configs(3), MASTER)
    seen: list[HealthState] = [states(health, 0)[FIRST]]
    for stamp in in_order(make_rig_stamps(3, 60)):
        health.add(stamp, 0)
        seen.append(states(health, 0)[FIRST])
    assert list(dict.fromkeys(seen)) == [HealthState.WAITING, HealthState.SETTLING, HealthState.LOCKED]


def test_a_healthy_rig_is_locked_and_its_numbers_say_so():
    health, alarms, now_nsec = play(make_rig_stamps(3, 900))
    assert alarms == []
    look = health.look(now_nsec)
    assert {device.state for device in look.values()} == {HealthState.LOCKED}
    device = look[SECOND]
    assert device.fps == pytest.approx(30, rel=1e-3)
    # A difference of two color stamps, each off by -1, 0 or 1 tick: sigma 1.15 ticks, 12.8 us; its mean over 30 lies
    # within four times 12.8 / sqrt(30).
    assert abs(device.offset_usec or 0) < 9.4
    assert device.jitter_usec == pytest.approx(12.8, rel=0.2)
    assert device.drift_ppm is not None and device.drift_error_ppm is not None
    assert abs(device.drift_ppm) < 4 * device.drift_error_ppm < 2.0
    assert (look[MASTER].is_reference, look[MASTER].offset_usec) == (True, None)


def test_the_state_does_not_depend_on_who_delivers_first():
    streams = make_rig_stamps(3, 200, {2: StampFaults(drift_ppm=200)})
    late_master = sorted(in_order(streams), key=lambda s: (s.color_usec or 0) + (500_000 if s.serial == MASTER else 0))
    health = RigHealth(rig_configs(3), MASTER)
    alarms = [alarm for stamp in late_master for alarm in health.add(stamp, 0)]
    assert [(alarm.serial, alarm.evidence) for alarm in alarms] == [(SECOND, LossEvidence.STAMPS)]


def test_a_device_whose_stamps_run_away_is_drifting_and_the_alarm_says_by_what():
    health, alarms, now_nsec = play(make_rig_stamps(3, 200, {1: StampFaults(drift_ppm=40)}))
    assert [(alarm.serial, alarm.evidence) for alarm in alarms] == [(FIRST, LossEvidence.STAMPS)]
    assert "stamps leave the reference's" in alarms[0].message
    look = health.look(now_nsec)
    assert look[FIRST].state is HealthState.DRIFTING
    assert look[FIRST].evidence == (LossEvidence.STAMPS,)
    assert look[FIRST].drift_ppm == pytest.approx(40, abs=4)
    assert look[SECOND].state is HealthState.LOCKED


def test_a_plug_that_is_pulled_is_an_alarm_once_and_plugged_again_ends_it():
    health, _, now_nsec = play(make_rig_stamps(3, 60))
    assert health.on_jacks(FIRST, PLUGGED, now_nsec) == []
    (alarm,) = health.on_jacks(FIRST, UNPLUGGED, now_nsec)
    assert (alarm.serial, alarm.evidence) == (FIRST, LossEvidence.JACK)
    assert health.on_jacks(FIRST, UNPLUGGED, now_nsec) == []
    assert states(health, now_nsec)[FIRST] is HealthState.LOST
    health.on_jacks(FIRST, PLUGGED, now_nsec)
    assert states(health, now_nsec)[FIRST] is HealthState.LOCKED


def test_an_empty_sync_in_of_a_master_is_as_it_should_be():
    health, _, now_nsec = play(make_rig_stamps(3, 60))
    assert health.on_jacks(MASTER, UNPLUGGED, now_nsec) == []


def test_perfect_stamps_that_arrive_later_and_later_are_drifting_by_arrivals():
    """The world in which a freed subordinate keeps perfect stamps: 60 ppm, 1.5 ms of jitter."""
    random = np.random.default_rng(1)
    health = RigHealth(rig_configs(2), MASTER)
    alarms = []
    for stamp in in_order(make_rig_stamps(2, 30 * 60)):
        seconds = (stamp.color_usec or 0) / 1e6
        late_usec = random.normal(30_000, 1500) + (60 * seconds if stamp.serial == FIRST else 0)
        arrival_nsec = round(seconds * 1e9 + late_usec * 1000)
        alarms += health.add(replace(stamp, arrival_nsec=arrival_nsec), arrival_nsec)
    assert [(alarm.serial, alarm.evidence) for alarm in alarms] == [(FIRST, LossEvidence.ARRIVALS)]
    assert health.look(0)[FIRST].state is HealthState.DRIFTING


def test_a_device_that_says_nothing_for_a_second_is_silent():
    health, _, now_nsec = play(make_rig_stamps(3, 60))
    assert set(states(health, now_nsec + 900_000_000).values()) == {HealthState.LOCKED}
    assert set(states(health, now_nsec + 1_100_000_000).values()) == {HealthState.SILENT}


def test_a_constant_offset_is_told_and_is_no_alarm():
    health, alarms, now_nsec = play(make_rig_stamps(3, 120, {2: StampFaults(shift_usec=300)}))
    assert alarms == []
    look = health.look(now_nsec)
    assert look[SECOND].state is HealthState.OFFSET
    assert look[SECOND].offset_usec == pytest.approx(300, abs=9.4)


@pytest.mark.parametrize("lost", [frozenset({110, 111, 112}), frozenset(range(70, 121, 10))])
def test_a_burst_of_losses_and_many_single_ones_are_dropping(lost: frozenset[int]):
    health, _, now_nsec = play(make_rig_stamps(3, 122, {1: StampFaults(lost=lost)}))
    look = health.look(now_nsec)
    assert look[FIRST].state is HealthState.DROPPING
    assert look[FIRST].missed == len(lost)
    assert look[SECOND].state is HealthState.LOCKED


def test_a_single_loss_is_counted_and_otherwise_normal():
    health, _, now_nsec = play(make_rig_stamps(3, 200, {1: StampFaults(lost=frozenset({100}))}))
    assert health.look(now_nsec)[FIRST].missed == 1
    assert states(health, now_nsec)[FIRST] is HealthState.LOCKED


def test_memory_stays_flat_while_the_reference_is_silent():
    streams = make_rig_stamps(2, 5000)
    health = RigHealth(rig_configs(2), MASTER)
    for stamp in streams[1].stamps():
        health.add(stamp, 0)
    assert len(health._devices[FIRST].pending) == 90  # three seconds
