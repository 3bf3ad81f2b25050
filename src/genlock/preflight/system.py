"""Power, processor, memory, clock and display of a computer."""

from __future__ import annotations

import os
import re

from genlock.preflight.facts import CpuFacts, DisplayFacts, PowerFacts
from genlock.preflight.machine import Machine

__all__ = ["gather_clock_sync", "gather_cpu", "gather_display", "gather_power"]

_SUPPLIES = "/sys/class/power_supply"
_CPUS = "/sys/devices/system/cpu"
_OPENGL = re.compile(r"^OpenGL (?:core profile )?version string: (\d+\.\d+)", re.MULTILINE)
_RENDERER = re.compile(r"^OpenGL renderer string: (.+)$", re.MULTILINE)


def gather_power(machine: Machine) -> PowerFacts:
    """Where the power comes from, and how the processors save it."""

    def of_cpus(name: str) -> str | None:
        paths = machine.entries(_CPUS, f"cpu[0-9]*/cpufreq/{name}") or []
        return ", ".join(sorted({text for path in paths if (text := machine.read(path))})) or None

    return PowerFacts(
        is_on_battery=_is_on_battery(machine),
        governor=of_cpus("scaling_governor"),
        driver=of_cpus("scaling_driver"),
        preference=of_cpus("energy_performance_preference"),
    )


def _is_on_battery(machine: Machine) -> bool | None:
    supplies = machine.entries(_SUPPLIES)
    if supplies is None:
        return None
    mains = [machine.number(path / "online") for path in supplies if machine.read(path / "type") == "Mains"]
    if any(mains):
        return False
    # A battery with scope "Device" belongs to a mouse or a headset.
    batteries = [
        machine.read(path / "status")
        for path in supplies
        if machine.read(path / "type") == "Battery" and machine.read(path / "scope") != "Device"
    ]
    return "Discharging" in batteries  # a computer without batteries is fed by the mains


def gather_cpu(machine: Machine) -> CpuFacts:
    """Processors and memory; what ``/proc`` does not tell comes from Python."""
    text = machine.read("/proc/cpuinfo") or ""
    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE)
    count = len(re.findall(r"^processor\s*:", text, re.MULTILINE))
    return CpuFacts(
        model=model[1] if model else machine.environment.get("PROCESSOR_IDENTIFIER", "unknown"),
        logical_cpus=count or os.cpu_count() or 1,
        memory_total_mb=_memory_mb(machine, "MemTotal"),
        memory_available_mb=_memory_mb(machine, "MemAvailable"),
    )


def _memory_mb(machine: Machine, name: str) -> int | None:
    found = re.search(rf"^{name}:\s*(\d+) kB", machine.read("/proc/meminfo") or "", re.MULTILINE)
    return int(found[1]) * 1024 // 10**6 if found else None


def gather_clock_sync(machine: Machine) -> bool | None:
    """Whether something keeps the wall clock right; ``None`` where nobody tells."""
    if not machine.is_linux:
        return None
    if machine.path("/run/systemd/timesync/synchronized").exists():
        return True
    # The kernel's own flag, which chrony and ntpd set as well.
    said = machine.run(("timedatectl", "show", "--property=NTPSynchronized", "--value"), "")
    if said in ("yes", "no"):
        return said == "yes"
    tracking = machine.run(("chronyc", "-n", "tracking"), "")
    return None if tracking is None else "Leap status     : Normal" in tracking


def gather_display(machine: Machine) -> DisplayFacts:
    """What the depth engine could draw with."""
    nodes = [*(machine.entries("/dev/dri", "renderD*") or []), *(machine.entries("/dev", "nvidia[0-9]*") or [])]
    display = machine.environment.get("DISPLAY") or None
    said = (machine.run(("glxinfo", "-B"), "") if display else None) or ""
    version, renderer = _OPENGL.search(said), _RENDERER.search(said)
    return DisplayFacts(
        display=display,
        graphics_nodes=tuple(f"/dev/{path.relative_to(machine.path('/dev'))}" for path in nodes),
        opengl_version=version[1] if version else None,
        opengl_renderer=renderer[1] if renderer else None,
    )
