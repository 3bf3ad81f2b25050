"""A law: reading a recorded folder back gives the sets that the live run gave, whatever was lost, cut or begun anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from genlock.capture import CaptureSet
from genlock.devices import open_backend
from genlock.devices.scenario import Fault, FaultKind, Scenario, SceneName
from genlock.plan import make_plan
from genlock.recording import RecordedSession, SplitRule
from genlock.rig import parse_rig
from genlock.session import LossPolicy, Session
from genlock.testing.rigs import rig_toml, serials
from genlock.workflows.record import record_take
from genlock.workflows.storing import Storing

DEVICES = 3
LOSING = (FaultKind.RANDOM_DROPS, FaultKind.USB_STARVED)


class ListeningSession(Session):
    """A session that remembers what it gave, run by run."""

    heard: list[list[CaptureSet]]

    def __enter__(self) -> ListeningSession:
        super().__enter__()
        type(self).heard.append([])
        return self

    def __iter__(self) -> Iterator[CaptureSet]:
        for capture_set in super().__iter__():
            type(self).heard[-1].append(capture_set)
            yield capture_set


@st.composite
def losses(draw: st.DrawFn) -> tuple[Fault, ...]:
    """What takes captures or single images away, on any device."""
    return tuple(
        Fault(kind=kind, serial=serial, amount=draw(st.floats(0.05, 0.6)))
        for serial in serials(DEVICES)
        for kind in draw(st.sets(st.sampled_from(LOSING), max_size=1))
    )


def gist(capture_set: CaptureSet) -> tuple[int, dict[str, tuple[int | None, int | None]]]:
    stamps = {serial: (stamp.color_usec, stamp.depth_usec) for serial, stamp in capture_set.stamps.items()}
    return capture_set.reference_usec, stamps


@settings(max_examples=5, deadline=None)
@given(
    faults=losses(),
    is_pulled=st.booleans(),
    part_sec=st.sampled_from([None, 0.7, 1.1]),
    seed=st.integers(0, 1000),
)
def test_a_recorded_folder_gives_the_live_sets_in_every_epoch_and_part(
    faults: tuple[Fault, ...], is_pulled: bool, part_sec: float | None, seed: int
):
    toml = rig_toml(DEVICES, {"depth_mode": "PASSIVE_IR"})
    rig = parse_rig(toml)
    if is_pulled:
        faults += (Fault(kind=FaultKind.CABLE_PULLED, serial=serials(DEVICES)[1], at_sec=0.9, until_sec=1.5),)
    scenario = Scenario(scene=SceneName.DARK, seed=seed, faults=faults)
    storing = Storing(split=None if part_sec is None else SplitRule(usec=round(part_sec * 1e6)))
    ListeningSession.heard = []
    with TemporaryDirectory() as parent, mock.patch("genlock.workflows.record.Session", ListeningSession):
        folder = Path(parent) / "take"
        with open_backend("sim", rig, scenario=scenario) as backend:
            record_take(
                make_plan(rig),
                backend,
                folder,
                rig_toml=toml,
                seconds=2.8,
                on_loss=LossPolicy.RESTART,
                storing=storing,
            )
        with RecordedSession(folder) as session:
            epochs = sorted(session.folder.epochs())
            recorded = [[gist(capture_set) for capture_set in session.epoch(number)] for number in epochs]
    live = [[gist(capture_set) for capture_set in run] for run in ListeningSession.heard]
    assert len(recorded) == len(live) >= (2 if is_pulled else 1)
    for run, epoch in zip(live, recorded, strict=True):
        # What the devices still delivered while they were stopped is recorded too, behind the last live set.
        assert run and epoch[: len(run)] == run
