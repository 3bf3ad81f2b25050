"""Which firmware a rig needs, as rules: checked against real devices where there are some.

Sources: the SDK's own limits (``depth.c``), its release notes and issues. No plan can know what a device runs, so
``check_firmware`` is given the versions by whoever can ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from genlock.findings import Finding, Severity

__all__ = [
    "KNOWN_FAULTS",
    "OPEN_MINIMUM",
    "RIG_MINIMUM",
    "FirmwareFault",
    "FirmwareVersions",
    "check_firmware",
]

Version = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FirmwareVersions:
    """What a device runs: major, minor, iteration of its two cameras."""

    color: Version
    depth: Version


@dataclass(frozen=True, slots=True)
class FirmwareFault:
    """A known fault of color firmware from ``since`` up to, not including, ``fixed``."""

    since: Version
    fixed: Version
    symptom: str
    source: str

    def is_in(self, color: Version) -> bool:
        """Whether a device with this color firmware has it."""
        return self.since <= color < self.fixed


OPEN_MINIMUM = FirmwareVersions(color=(1, 5, 92), depth=(1, 5, 66))
"""Below, the SDK does not open the device."""
RIG_MINIMUM = FirmwareVersions(color=(1, 6, 110), depth=(1, 6, 79))
"""Below, the SDK warns; what a synchronized rig should have on every device."""

KNOWN_FAULTS: tuple[FirmwareFault, ...] = (
    FirmwareFault((0, 0, 0), (1, 6, 104), "subordinates lie about 100 us off", "SDK issue #529"),
    FirmwareFault((0, 0, 0), (1, 6, 104), "the powerline frequency is overwritten", "SDK issue #448"),
    FirmwareFault((1, 6, 107), (1, 6, 108), "cameras fail on Linux", "SDK issue #1098"),
    FirmwareFault((0, 0, 0), (1, 6, 110), "a subordinate without color cannot be restarted", "SDK issue #818"),
    FirmwareFault((0, 0, 0), (1, 6, 110), "USB trouble with several devices", "SDK issue #971"),
)
"""What was fixed, and when, by the SDK's issues."""

_UPDATE = "Update it with Microsoft's AzureKinectFirmwareTool to 1.6.110080014, the last package; all devices alike."


def check_firmware(versions: Mapping[str, FirmwareVersions]) -> list[Finding]:
    """What is wrong with the firmware of a rig's devices, by serial; empty when all have the same, new enough."""
    return [
        *(finding for serial, version in versions.items() for finding in _one_device(serial, version)),
        *_all_equal(versions),
    ]


def _one_device(serial: str, version: FirmwareVersions) -> Iterator[Finding]:
    where = f"device {serial}"
    found = f"color firmware {_text(version.color)}, depth firmware {_text(version.depth)}"
    if version.color < OPEN_MINIMUM.color or version.depth < OPEN_MINIMUM.depth:
        least = f"{_text(OPEN_MINIMUM.color)} and {_text(OPEN_MINIMUM.depth)}"
        message = f"{found}: the SDK opens no device below {least}"
        yield Finding("plan.firmware_too_old", Severity.ERROR, where, message, _UPDATE)
    elif version.color < RIG_MINIMUM.color or version.depth < RIG_MINIMUM.depth:
        faults = [f"{fault.symptom} ({fault.source})" for fault in KNOWN_FAULTS if fault.is_in(version.color)]
        known = f". Known: {'; '.join(faults)}" if faults else ""
        least = f"{_text(RIG_MINIMUM.color)} and {_text(RIG_MINIMUM.depth)}"
        message = f"{found}; a synchronized rig should have at least {least}{known}"
        yield Finding("plan.firmware_old", Severity.WARNING, where, message, _UPDATE)


def _all_equal(versions: Mapping[str, FirmwareVersions]) -> Iterator[Finding]:
    serials: dict[FirmwareVersions, list[str]] = {}
    for serial, version in versions.items():
        serials.setdefault(version, []).append(serial)
    if len(serials) > 1:
        groups = [f"{_text(v.color)} / {_text(v.depth)} on {', '.join(which)}" for v, which in serials.items()]
        message = f"the devices run different firmware: {'; '.join(groups)}. They may then differ in timing"
        yield Finding("plan.firmware_unequal", Severity.WARNING, "rig", message, _UPDATE)


def _text(version: Version) -> str:
    return ".".join(map(str, version))
