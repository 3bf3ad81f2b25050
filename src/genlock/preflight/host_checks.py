"""Rules about the rest of the computer: power, processor, memory, clock, display, Microsoft's library, disk."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.findings import Finding, Severity
from genlock.k4a import ImageFormat
from genlock.preflight.case import Case, Rule, not_checked

__all__ = ["HOST_RULES"]

_CPUS_PER_DEVICE = 2
"""Microsoft's least computer for one device has two processor cores ("Azure Kinect Sensor SDK system requirements")."""
_LEAST_MEMORY_MB = 3_800
"""The same page: 4 GB of memory, of which some is never shown to Linux."""
_LEAST_OPENGL = (4, 4)
"""Of the depth engine: the same page."""
_DYNAMIC_DRIVERS = ("intel_pstate", "amd-pstate-epp")
"""Under these the governor powersave is the usual one; how much power is saved says the preference."""
_SMALL_FILE_SYSTEMS = ("vfat", "msdos")
_REMOTE_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb3", "sshfs", "9p")
_MEMORY_FILE_SYSTEMS = ("tmpfs", "ramfs")


def _power(case: Case) -> Iterator[Finding]:
    power = case.facts.power
    if power.is_on_battery:
        yield Finding(
            "preflight.on_battery",
            Severity.WARNING,
            "power",
            "this computer runs on its battery: it slows down by itself, and USB ports may lose power",
            "Plug in the power supply.",
        )
    if power.is_on_battery is None:
        yield not_checked("power supply", "this computer does not tell", "It should be plugged in, not on battery.")
    is_dynamic = (power.driver or "") in _DYNAMIC_DRIVERS
    if "powersave" in (power.governor or "") and (not is_dynamic or (power.preference or "").endswith("power")):
        setting = f"energy preference {power.preference}" if is_dynamic else "governor powersave"
        yield Finding(
            "preflight.cpu_powersave",
            Severity.WARNING,
            "power",
            f"the processors save power ({setting}, driver {power.driver or 'unknown'}): captures may queue up behind "
            "them",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        )
    if power.governor is None:
        how = "The processors should not be told to save power."
        yield not_checked("processor governor", "this computer shows no cpufreq", how)


def _processor(case: Case) -> Iterator[Finding]:
    cpu, count = case.facts.cpu, len(case.plan.devices)
    if cpu.logical_cpus < _CPUS_PER_DEVICE * count:
        yield Finding(
            "preflight.cpu_few",
            Severity.WARNING,
            "processor",
            f"{cpu.logical_cpus} processors ({cpu.model}) for {count} devices; Microsoft's least computer has two for "
            "one device",
            "Spread the devices over more computers, or watch for lost captures: genlock monitor.",
        )
    if cpu.memory_total_mb is None:
        yield not_checked("memory", "this computer does not tell", f"It should have {_LEAST_MEMORY_MB} MB or more.")
    elif cpu.memory_total_mb < _LEAST_MEMORY_MB:
        yield Finding(
            "preflight.memory_small",
            Severity.WARNING,
            "memory",
            f"this computer has {cpu.memory_total_mb} MB; Microsoft's least is 4 GB",
            "Use a computer with more memory.",
        )


def _jpeg(case: Case) -> Iterator[Finding]:
    """Processors that are busy all the time: with decoding BGRA32, which comes as JPEG, and with previews."""
    jpeg = case.facts.jpeg
    decoding = sum(
        jpeg.decode_msec[str(d.config.color_resolution)] / 1000 * int(d.config.camera_fps)
        for d in case.plan.devices
        if d.config.has_color and d.config.color_format is ImageFormat.BGRA32
    )
    previews = sum(len(b.devices) * b.preview_fps for b in case.budgets) * jpeg.encode_preview_msec / 1000
    busy, has = decoding + previews, case.facts.cpu.logical_cpus
    if busy > has / 2:
        yield Finding(
            "preflight.jpeg_budget",
            Severity.ERROR if busy > has else Severity.WARNING,
            "processor",
            f"decoding BGRA32 images keeps {decoding:.1f} processors busy and packing previews {previews:.1f}, by a "
            f"test on this computer; it has {has}",
            'Set color_format = "MJPG", which is recorded as it comes; lower resolution, rate or preview_fps.',
        )


def _clock(case: Case) -> Iterator[Finding]:
    is_synchronized = case.facts.is_clock_synchronized
    how = "sudo timedatectl set-ntp true ; timedatectl shows the state."
    if is_synchronized is None:
        yield not_checked("clock", "nobody here tells whether the clock is kept right", how)
    elif not is_synchronized:
        matters = case.is_one_of_several
        why = (
            "sessions of several computers are put together by their clocks"
            if matters
            else "takes are dated by it, nothing else hangs on it with one computer"
        )
        yield Finding(
            "preflight.clock_not_synchronized",
            Severity.WARNING if matters else Severity.INFO,
            "clock",
            f"nothing keeps this computer's clock right; {why}",
            how,
        )


def _display(case: Case) -> Iterator[Finding]:
    if not case.depth_devices:
        return
    if case.facts.sdk.is_virtual:
        yield not_checked("graphics", "the cameras are virtual, and no depth is computed here", "")
        return
    display = case.facts.display
    if not display.graphics_nodes:
        yield Finding(
            "preflight.no_graphics_device",
            Severity.WARNING,
            "graphics",
            "there is no graphics device (/dev/dri/renderD*, /dev/nvidia*): the depth engine would compute on the "
            "processor, if at all, and not in real time",
            "Install the graphics driver; give the container or virtual machine the device.",
        )
    if display.display is None:
        yield Finding(
            "preflight.no_display",
            Severity.ERROR,
            "graphics",
            "DISPLAY is not set: the depth engine needs OpenGL 4.4 through an X display, and the cameras' start fails "
            "without it",
            "Run it in a desktop session; over SSH: export DISPLAY=:0 with a user logged in at the screen.",
        )
    elif display.opengl_version is None:
        how = "Install mesa-utils; glxinfo -B should say OpenGL 4.4 or newer, and name the graphics card."
        yield not_checked("OpenGL", "glxinfo is not there, or the display does not answer", how)
    else:
        yield from _opengl(display.opengl_version, display.opengl_renderer or "")


def _opengl(version: str, renderer: str) -> Iterator[Finding]:
    found = f"the display has OpenGL {version} by {renderer or 'an unknown renderer'}"
    driver = "Install the driver of the graphics card; glxinfo -B should name the card."
    if tuple(int(part) for part in version.split(".")) < _LEAST_OPENGL:
        message = f"{found}; the depth engine needs 4.4"
        yield Finding("preflight.opengl_old", Severity.ERROR, "graphics", message, driver)
    elif any(name in renderer.lower() for name in ("llvmpipe", "softpipe", "swrast")):
        message = f"{found}, a software renderer: too slow for depth in real time"
        yield Finding("preflight.opengl_software", Severity.WARNING, "graphics", message, driver)


def _sdk(case: Case) -> Iterator[Finding]:
    sdk = case.facts.sdk
    install = "Install the Azure Kinect SDK 1.4, or: pip install 'genlock[sdk]'; or name it: --k4a-library FILE."
    if sdk.library is None:
        yield Finding("preflight.sdk_missing", Severity.ERROR, "Azure Kinect SDK", sdk.looked_for, install)
    elif sdk.depth_engine is None and case.depth_devices and not sdk.is_virtual:
        yield Finding(
            "preflight.depth_engine_missing",
            Severity.ERROR,
            "Azure Kinect SDK",
            f"{sdk.library} is there, the depth engine that it loads (libdepthengine.so.2.0) is not; {sdk.looked_for}",
            install,
        )


def _disk(case: Case) -> Iterator[Finding]:
    disk, needed, certain = case.facts.disk, case.disk_mb_per_sec, case.exact_disk_mb_per_sec
    where = f"disk of {disk.folder}"
    speed = disk.write_mb_per_sec
    if speed is None:
        yield Finding(
            "preflight.disk_not_writable",
            Severity.ERROR,
            where,
            f"a test file could not be written there: {disk.write_error}",
            "Name a folder that this user may write to: --target DIR.",
        )
    elif speed < needed:
        yield Finding(
            "preflight.disk_slow",
            Severity.ERROR if speed < certain else Severity.WARNING,
            where,
            f"it wrote {speed:.0f} MB/s in a short test; recordings take {needed:.0f} MB/s, {certain:.0f} of them for "
            "depth and IR",
            "Use a faster disk, spread the devices over more hosts, lower mode or rate.",
        )
    if needed > 0:
        message = f"{disk.free_gb:g} GB are free, enough for about {disk.free_gb * 1e3 / needed / 60:.1f} minutes"
        yield Finding("preflight.disk_room", Severity.INFO, where, message, "")
    if disk.filesystem in _SMALL_FILE_SYSTEMS:
        message = f"its file system ({disk.filesystem}) has no files above 4 GB; a device's recording would end there"
        remedy = "Format it as ext4, NTFS or exFAT, or cut the recordings: genlock record --split."
        yield Finding("preflight.disk_small_files", Severity.WARNING, where, message, remedy)
    if (disk.filesystem or "").rpartition(".")[2] in _REMOTE_FILE_SYSTEMS:  # fuse.sshfs
        message = f"it is reached over a network ({disk.filesystem}), whose pauses a recording does not survive"
        yield Finding("preflight.disk_remote", Severity.WARNING, where, message, "Record to a local disk, copy later.")
    if disk.filesystem in _MEMORY_FILE_SYSTEMS:
        message = f"it is memory ({disk.filesystem}): recordings take it from the programs and are gone after a restart"
        yield Finding("preflight.disk_is_memory", Severity.WARNING, where, message, "Record to a disk: --target DIR.")


LINUX_ONLY: tuple[Rule, ...] = (_power, _clock, _display)
"""Rules whose facts come from Linux."""
HOST_RULES: tuple[Rule, ...] = (_processor, _jpeg, _sdk, _disk)
