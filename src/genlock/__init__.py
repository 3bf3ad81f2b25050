"""genlock makes a set of Azure Kinect DK cameras work as one instrument.

The front door: a handful of names, each loaded when it is first asked for, so that ``import genlock`` is instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from genlock._version import __version__

if TYPE_CHECKING:
    from genlock.devices import open_backend
    from genlock.errors import GenlockError
    from genlock.pixels import to_rgb
    from genlock.plan import make_plan
    from genlock.recording import RecordedSession, RecordingReader
    from genlock.rig import load_rig
    from genlock.session import Session
    from genlock.workflows.record import record_take
    from genlock.workflows.verify import verify_path

__all__ = [
    "GenlockError",
    "RecordedSession",
    "RecordingReader",
    "Session",
    "__version__",
    "load_rig",
    "make_plan",
    "open_backend",
    "record_take",
    "to_rgb",
    "verify_path",
]

_HOMES = {
    "GenlockError": "genlock.errors",
    "RecordedSession": "genlock.recording",
    "RecordingReader": "genlock.recording",
    "Session": "genlock.session",
    "load_rig": "genlock.rig",
    "make_plan": "genlock.plan",
    "open_backend": "genlock.devices",
    "record_take": "genlock.workflows.record",
    "to_rgb": "genlock.pixels",
    "verify_path": "genlock.workflows.verify",
}


def __getattr__(name: str) -> Any:  # Any: each name has a type of its own, which the imports above give to checkers
    if name not in _HOMES:
        raise AttributeError(f"module 'genlock' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
