"""Small rigs for tests, as text and as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genlock.rig import Rig, parse_rig

__all__ = ["SMALL_CAPTURE", "chain_rig", "rig_toml", "serials"]

SMALL_CAPTURE: Mapping[str, object] = {
    "camera_fps": 30,
    "depth_mode": "NFOV_2X2BINNED",
    "color_resolution": "720P",
    "color_format": "MJPG",
    "exposure_usec": 8330,
    "powerline_hz": 60,
    "white_balance_k": 4500,
}
"""The smallest images that a synchronized rig has."""


def serials(count: int) -> list[str]:
    """``000000000001`` and so on."""
    return [f"{number:012d}" for number in range(1, count + 1)]


def rig_toml(
    devices: int,
    capture: Mapping[str, object] | None = None,
    *,
    wiring: Sequence[str] | None = None,
    per_device: Mapping[str, Mapping[str, object]] | None = None,
) -> str:
    """A rig file of that many devices: a daisy chain with the first one as master, unless ``wiring`` says otherwise.

    Args:
        devices: how many.
        capture: keys of ``[capture]`` that differ from ``SMALL_CAPTURE``; a value of ``None`` leaves the key out.
        wiring: the lines of ``[wiring]``.
        per_device: keys of each ``[[device]]``, by serial.
    """
    names = serials(devices)
    settings = {**SMALL_CAPTURE, **(capture or {})}
    lines = ["format_version = 1", 'name = "test"', "[capture]", *_pairs(settings), "[wiring]"]
    if wiring is not None:
        lines += wiring
    elif devices == 1:
        lines += ['topology = "standalone"']
    else:
        lines += ['topology = "daisy_chain"', f'master = "{names[0]}"', f"order = {_toml(names[1:])}"]
    for serial in names:
        lines += ["[[device]]", f'serial = "{serial}"', *_pairs((per_device or {}).get(serial, {}))]
    return "\n".join(lines) + "\n"


def chain_rig(devices: int, capture: Mapping[str, object] | None = None) -> Rig:
    """A daisy chain, loaded."""
    return parse_rig(rig_toml(devices, capture))


def _pairs(table: Mapping[str, object]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in table.items() if value is not None]


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return str(value)
