"""Recordings as devices: a take that was recorded plays as if its rig ran again."""

from genlock.devices.playback.backend import PlaybackBackend

__all__ = ["PlaybackBackend"]
