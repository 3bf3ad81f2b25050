"""Record a take: plan in hand, devices behind a backend, a session folder as the result."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from genlock._version import __version__
from genlock.devices import Backend
from genlock.errors import RigError, SessionFolderError, UnworkablePlanError, message_of
from genlock.findings import Finding, errors_in
from genlock.plan import Plan
from genlock.recording import SessionFolder, SessionState
from genlock.session import FinishReason, LossPolicy, Session, SessionEvent, SessionStatus
from genlock.workflows.hosts import FIRST_PULSE_WAIT_SEC, plan_of_host, waits_for_another_host
from genlock.workflows.progress import NoProgress, Progress
from genlock.workflows.simulate import write_truth
from genlock.workflows.storing import Storing, make_recorder, room_findings, storage_findings

__all__ = ["TakeResult", "record_take"]

logger = logging.getLogger(__name__)

_USUAL_STORING = Storing()


@dataclass(frozen=True, slots=True)
class TakeResult:
    """What recording a take came to."""

    folder: SessionFolder
    epochs: tuple[SessionStatus, ...]
    """How each epoch's run ended: one, unless sync was lost and all devices were started again."""
    findings: tuple[Finding, ...]
    """What the session and the recorder had to say."""
    elapsed_sec: float
    """Wall time from opening to closing."""

    @property
    def status(self) -> SessionStatus:
        """How the last epoch's run ended."""
        return self.epochs[-1]

    @property
    def sets(self) -> int:
        """Capture sets of all epochs."""
        return sum(status.sets for status in self.epochs)

    @property
    def complete_sets(self) -> int:
        """Those in which every device has a capture."""
        return sum(status.complete_sets for status in self.epochs)

    @property
    def state(self) -> SessionState:
        """COMPLETED or CANCELLED; FAILED when it ended because sync was lost, as ``LossPolicy.STOP`` wants it."""
        return self.folder.session.state

    def to_json(self) -> dict[str, object]:
        """The result as the command line prints it."""
        session = self.folder.session
        return {
            "format_version": 1,
            "session": str(self.folder.path),
            "session_id": session.session_id,
            "state": session.state.value,
            "backend": session.backend,
            "is_simulated": session.is_simulated,
            "elapsed_sec": round(self.elapsed_sec, 3),
            "epochs": len(self.epochs),
            "sets": self.sets,
            "complete_sets": self.complete_sets,
            "devices": [
                {
                    "serial": serial,
                    "state": device.health.state.value,
                    "captures": sum(s.devices[serial].captures for s in self.epochs if serial in s.devices),
                    "deepest_queue": device.lane.deepest,
                    "blocked_nsec": device.lane.blocked_nsec,
                    "files": session.recordings[serial],
                }
                for serial, device in self.status.devices.items()
            ],
            "findings": [finding.to_json() for finding in self.findings],
        }


def record_take(
    plan: Plan,
    backend: Backend,
    folder_path: Path,
    *,
    rig_toml: str,
    seconds: float,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_loss: LossPolicy = LossPolicy.MARK,
    warm_up: bool = False,
    storing: Storing = _USUAL_STORING,
    host: str | None = None,
) -> TakeResult:
    """Records a take of ``seconds`` seconds of the reference device's time into a new session folder.

    Whatever happens, the folder says so in the end: COMPLETED, CANCELLED or FAILED, with files that can be read. Only a
    take whose devices could not even be opened and set leaves none, so that it can be tried again as it is. With
    ``LossPolicy.RESTART`` a lost device makes all devices start again, in a new epoch of the same take. With ``host``
    only the devices of that computer are recorded; if the master is elsewhere they wait for its pulse.

    Raises:
        UnworkablePlanError: the plan holds errors; nothing was written.
        SessionFolderError: the folder exists, cannot be made, or cannot be completed.
        RigError: devices or disks failed; its findings tell what was lost. The folder, if there is one, holds what was
            recorded until then.
    """
    if plan.has_errors:
        raise UnworkablePlanError(errors_in(plan.findings))
    own = plan_of_host(plan, host)
    room = tuple(room_findings(own, folder_path, seconds))
    if errors_in(room):
        raise UnworkablePlanError(errors_in(room))
    began_sec = time.monotonic()
    folder = SessionFolder.create(
        folder_path,
        plan=plan,
        rig_toml=rig_toml,
        backend=backend.name,
        provenance=backend.provenance,
        serials={device.serial for device in own.devices},
        host=host,
    )
    take = _Take(own, backend, folder, progress or NoProgress(), is_cancelled, on_loss, warm_up, seconds, storing)
    take.findings += room
    failure: str | None = None
    try:
        take.run()
    except BaseException as error:
        failure = None if take.reason is FinishReason.CANCELLED else message_of(error)
        if isinstance(error, RigError):
            error.findings = tuple(take.findings)
        raise
    finally:
        if take.reason is FinishReason.FAILED and failure is None:
            failure = next((str(f.message) for f in errors_in(take.findings)), None)
        # Without a recording and without a finding, such as of a plug in the wrong jack, there is nothing to judge.
        is_evidence = failure is None or len(take.findings) > len(room)
        if is_evidence or not folder.discard():
            try:
                folder.finish(SessionState(take.reason), take.digests, failure)
                write_truth(backend, folder.path)
            except OSError as error:
                if failure is None:
                    raise SessionFolderError(folder.path, f"cannot be completed: {error.strerror or error}") from error
                logger.error("%s: how it ended cannot be written: %s", folder.path, error)
    return TakeResult(folder, tuple(take.statuses), tuple(take.findings), time.monotonic() - began_sec)


class _Take:
    """A take while it is recorded: one session an epoch."""

    def __init__(
        self,
        plan: Plan,
        backend: Backend,
        folder: SessionFolder,
        progress: Progress,
        is_cancelled: Callable[[], bool],
        on_loss: LossPolicy,
        warm_up: bool,
        seconds: float,
        storing: Storing,
    ) -> None:
        self._plan = plan
        self._backend = backend
        self._folder = folder
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._on_loss = on_loss
        self._warm_up = warm_up
        self._seconds = seconds
        self._storing = storing
        self._done_sec = 0.0
        self.reason = FinishReason.FAILED
        self.statuses: list[SessionStatus] = []
        self.findings: list[Finding] = []
        self.digests: dict[str, str] = {}

    def run(self) -> None:
        """Records one epoch after the other until the time is over, or until one ended for good."""
        paths = {serial: files[0] for serial, files in self._folder.recordings().items()}
        while True:
            session = self._record_epoch(paths)
            is_over = self._seconds - self._done_sec < _MIN_EPOCH_SEC or len(self.statuses) == _MAX_EPOCHS
            if not session.was_lost or self._on_loss is not LossPolicy.RESTART or is_over:
                return
            if session.finish_reason is not FinishReason.FAILED:
                return
            paths = self._folder.add_epoch()
            number = len(self.statuses) + 1
            now_nsec = self._backend.clock.now_nsec()
            self._on_event(SessionEvent("epoch", None, now_nsec, now_nsec, f"e{number:02d}"))
            self._progress.step(f"sync was lost: start all devices again, epoch {number}")

    def _record_epoch(self, paths: Mapping[str, Path]) -> Session:
        epoch = {"GENLOCK_EPOCH": str(len(self.statuses) + 1)}
        tags = {serial: {**_tags(self._plan, serial, self._backend, self._folder), **epoch} for serial in paths}
        recorder = make_recorder(paths, self._folder, self._storing, tags)
        session = Session(
            self._plan,
            self._backend,
            sinks=(recorder,),
            duration_sec=self._seconds - self._done_sec,
            on_event=self._on_event,
            is_cancelled=self._is_cancelled,
            on_loss=self._on_loss,
            warm_up=self._warm_up,
            **_patience(self._plan),
        )
        try:
            with session:
                self._progress.step("capture, match, record")
                self._follow(session)
        finally:
            self.reason = session.finish_reason or FinishReason.FAILED
            self.statuses.append(session.status)
            self.findings += session.status.findings
            self.findings += storage_findings(recorder, session.status, self._folder)
            for summary in (part for parts in recorder.parts.values() for part in parts):
                self.digests[summary.path.relative_to(self._folder.path).as_posix()] = summary.digest_root
        return session

    def _follow(self, session: Session) -> None:
        before_sec, first_usec = self._done_sec, None
        earlier_sets = sum(status.sets for status in self.statuses)
        earlier_complete = sum(status.complete_sets for status in self.statuses)
        for capture_set in session:
            first_usec = capture_set.reference_usec if first_usec is None else first_usec
            self._done_sec = min(self._seconds, before_sec + (capture_set.reference_usec - first_usec) / 1e6)
            status = session.counts
            self._progress.advance(
                self._done_sec,
                self._seconds,
                f"{earlier_complete + status.complete} of {earlier_sets + status.sets} sets complete",
            )
        if session.finish_reason is None:
            status = session.counts
            text = f"{earlier_complete + status.complete} of {earlier_sets + status.sets} sets complete"
            self._progress.advance(self._seconds, self._seconds, text)

    def _on_event(self, event: SessionEvent) -> None:
        self._folder.log({key: value for key, value in asdict(event).items() if value is not None or key == "serial"})
        if event.event == "phase" and event.detail in _STEPS:
            self._progress.step(_STEPS[event.detail])
        if event.event == "all_started" and waits_for_another_host(self._plan):
            minutes = FIRST_PULSE_WAIT_SEC / 60
            self._progress.step(f"wait for the first pulse: start the master now; given up after {minutes:g} min")


def _patience(plan: Plan) -> dict[str, float]:
    """Longer where somebody starts the master on another computer."""
    return {"first_capture_timeout_sec": FIRST_PULSE_WAIT_SEC} if waits_for_another_host(plan) else {}


_MIN_EPOCH_SEC = 0.5
"""What is left of a take when it is not worth starting all devices again."""
_MAX_EPOCHS = 20
"""A rig that loses sync so often cannot record."""

_STEPS = {
    "open": "open every device",
    "armed": "check jacks against the wiring; set powerline, then exposure and the other controls, once",
    "running": "start: subordinates in cable order, the master last",
    "stopping": "stop, complete the files",
}


def _tags(plan: Plan, serial: str, backend: Backend, folder: SessionFolder) -> Mapping[str, str]:
    """What Microsoft's format leaves out, so that a single MKV is enough to know what it is."""
    planned = plan.device(serial)
    tags = {
        **backend.provenance,
        "GENLOCK_VERSION": __version__,
        "GENLOCK_SESSION_ID": folder.session.session_id,
        "GENLOCK_RIG": plan.rig_name,
        "GENLOCK_HOST": folder.session.host,
        # A pair of readings taken together ties the host's monotonic clock to the wall clock.
        "GENLOCK_WALL_CLOCK_UTC": datetime.now(UTC).isoformat(),
        "GENLOCK_HOST_CLOCK_NSEC": str(backend.clock.now_nsec()),
    }
    if planned.config.has_color:
        tags["GENLOCK_POWERLINE_HZ"] = str(int(planned.powerline_hz))
        tags["GENLOCK_EXPOSURE_USEC"] = "auto" if planned.exposure_usec is None else str(planned.exposure_usec)
        for control, value in planned.color_controls.items():
            tags[f"GENLOCK_{control}"] = str(value)
    return tags
