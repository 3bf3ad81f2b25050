"""What preflight says about whole computers: layouts of real machines in, findings out."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.findings import Finding, Severity
from genlock.plan import make_plan
from genlock.preflight import Case, HostFacts, gather_facts, judge_host, needed_usbfs_mb, set_usbfs_memory
from genlock.rig import Host, parse_rig
from genlock.testing.rigs import rig_toml
from support.machines import LAPTOP, RULES, WORKSTATION, Layout, build, changed, kinect, root_hubs

VIRTUAL = {"GENLOCK_VIRTUAL": "/run/genlock"}
USBFS = "sys/module/usbcore/parameters/usbfs_memory_mb"


def installed_sdk(root: Path) -> Path:
    library = root / "usr/lib/x86_64-linux-gnu/libk4a1.4/libk4a.so.1.4.1"
    library.parent.mkdir(parents=True, exist_ok=True)
    library.touch()
    (library.parent / "libdepthengine.so.2.0").touch()
    return library


def facts_of(layout: Layout, root: Path) -> HostFacts:
    facts = gather_facts(build(layout, root), root, find_library=lambda: installed_sdk(root), disk_test_mb=1)
    return replace(facts, disk=replace(facts.disk, write_mb_per_sec=2000.0, filesystem="ext4"))


def case_of(layout: Layout, root: Path, *, host: Host | None = None, **capture: object) -> Case:
    plan = make_plan(parse_rig(rig_toml(3, capture)))
    return Case(facts=facts_of(layout, root), plan=plan, host=host or Host(name="pc"), is_one_of_several=False)


def findings_of(layout: Layout, root: Path, **capture: object) -> dict[str, Finding]:
    return {finding.code: finding for finding in judge_host(case_of(layout, root, **capture))}


def test_a_workstation_set_up_as_it_should_be_has_nothing_to_repair(tmp_path: Path):
    findings = judge_host(case_of(WORKSTATION, tmp_path))
    assert [str(f) for f in findings if f.severity is not Severity.INFO] == []
    assert {f.code for f in findings} == {"preflight.disk_room"}


def test_a_laptop_out_of_the_box_is_told_everything_at_once(tmp_path: Path):
    findings = findings_of(LAPTOP, tmp_path)
    assert {code.removeprefix("preflight."): f.severity.value for code, f in findings.items()} == {
        "usbfs_memory_small": "error",
        "usb_overloaded": "warning",
        "usb_controller_not_as_planned": "warning",
        "on_battery": "warning",
        "cpu_powersave": "warning",
        "cpu_few": "warning",
        "clock_not_synchronized": "info",
        "opengl_software": "warning",
        "disk_room": "info",
    }
    # Three devices at 159 MB/s of depth each, and what a 720P MJPG is taken for.
    assert "send 499 MB/s; it carries 400" in findings["preflight.usb_overloaded"].message


def test_usbfs_is_judged_against_the_rigs_need_and_its_remedies_are_commands(tmp_path: Path):
    finding = findings_of(changed(WORKSTATION, usbfs_memory_mb=16), tmp_path)["preflight.usbfs_memory_small"]
    assert finding.severity is Severity.ERROR
    assert "usbfs_memory_mb is 16; 3 devices need about 96 MB" in finding.message
    assert "echo 96 | sudo tee /sys/module/usbcore/parameters/usbfs_memory_mb" in finding.remedy
    # What was set before is replaced, the rest of the line stays.
    assert 'GRUB_CMDLINE_LINUX_DEFAULT="quiet splash usbcore.usbfs_memory_mb=96"' in finding.remedy
    assert "sudo update-grub" in finding.remedy


@pytest.mark.parametrize(
    ("granted_mb", "severity"), [(29, "error"), (30, "warning"), (95, "warning"), (96, None), (0, None)]
)
def test_too_little_usbfs_is_an_error_below_what_the_sdk_itself_takes(
    tmp_path: Path, granted_mb: int, severity: str | None
):
    finding = findings_of(changed(WORKSTATION, usbfs_memory_mb=granted_mb), tmp_path).get(
        "preflight.usbfs_memory_small"
    )
    assert (finding.severity.value if finding else None) == severity


def test_usbfs_that_a_restart_will_undo_is_told(tmp_path: Path):
    volatile = changed(WORKSTATION, cmdline="ro quiet", grub=None)
    finding = findings_of(volatile, tmp_path)["preflight.usbfs_memory_not_permanent"]
    assert "after a restart it will be the kernel's default, 16" in finding.message
    assert "usbcore.usbfs_memory_mb=96" in finding.remedy
    lasting = changed(volatile, files={"etc/modprobe.d/k4a.conf": "options usbcore usbfs_memory_mb=256\n"})
    assert "preflight.usbfs_memory_not_permanent" not in findings_of(lasting, tmp_path / "other")


def test_the_line_that_the_finding_shows_silences_it_before_the_restart(tmp_path: Path):
    volatile = changed(WORKSTATION, cmdline="ro quiet", grub='GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    line = findings_of(volatile, tmp_path)["preflight.usbfs_memory_not_permanent"].remedy
    written = changed(volatile, grub=line[line.index("GRUB") : line.index(", then")] + "\n")
    assert "preflight.usbfs_memory_not_permanent" not in findings_of(written, tmp_path / "other")


def test_the_kernels_command_line_wins_over_modprobe(tmp_path: Path):
    layout = changed(
        WORKSTATION,
        cmdline="ro usbcore.usbfs_memory_mb=64",
        grub=None,
        files={"etc/modprobe.d/k4a.conf": "options usbcore usbfs_memory_mb=256\n"},
    )
    usbfs = facts_of(layout, tmp_path).usbfs
    assert usbfs is not None
    assert usbfs.at_boot_mb == 64


def test_fixing_usbfs_changes_the_file_and_silences_the_finding(tmp_path: Path):
    layout = changed(WORKSTATION, usbfs_memory_mb=16)
    machine = build(layout, tmp_path)
    wanted_mb = needed_usbfs_mb(case_of(layout, tmp_path))
    assert wanted_mb == 96
    assert set_usbfs_memory(machine, wanted_mb) is None
    assert (tmp_path / USBFS).read_text() == "96\n"
    assert "preflight.usbfs_memory_small" not in findings_of(changed(layout, usbfs_memory_mb=None), tmp_path)


def test_fixing_usbfs_without_the_right_to_says_so(tmp_path: Path):
    machine = build(changed(WORKSTATION, usbfs_memory_mb=16, unwritable=frozenset({USBFS})), tmp_path)
    problem = set_usbfs_memory(machine, 96)
    assert problem is not None
    assert "sudo" in problem
    assert (tmp_path / USBFS).read_text() == "16\n"


def test_missing_udev_rules_come_with_a_rule_that_cures_them(tmp_path: Path):
    finding = findings_of(changed(WORKSTATION, rules="# nothing here\n"), tmp_path)["preflight.udev_rules_missing"]
    assert finding.severity is Severity.ERROR
    rule = finding.remedy.split("'")[1]
    assert "preflight.udev_rules_missing" not in findings_of(changed(WORKSTATION, rules=rule), tmp_path / "cured")


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        (RULES.replace("097c", "09ff"), {"097c"}),
        (RULES.replace('MODE="0666"', 'MODE="0600"'), {"097a", "097b", "097c", "097d", "097e"}),
        (RULES.replace('SUBSYSTEM=="usb", ATTR', '#SUBSYSTEM=="usb", ATTR'), {"097a", "097b", "097c", "097d", "097e"}),
        ('SUBSYSTEM=="usb", ATTR{idVendor}=="045e", \\\n  ATTR{idProduct}=="097[a-e]", TAG+="uaccess"\n', set()),
        ('SUBSYSTEM=="usb", ATTRS{idVendor}=="045e", MODE="0660", GROUP="plugdev"\n', set()),
        ('SUBSYSTEM=="usb", ATTRS{idVendor}=="2bc5", MODE="0666"\n', {"097a", "097b", "097c", "097d", "097e"}),
    ],
)
def test_udev_rules_are_read_as_udev_reads_them(tmp_path: Path, rules: str, missing: set[str]):
    opened = facts_of(changed(WORKSTATION, rules=rules), tmp_path).udev_products
    assert opened is not None
    assert {"097a", "097b", "097c", "097d", "097e"} - set(opened) == missing


def test_root_needs_no_udev_rules_and_is_told_nevertheless(tmp_path: Path):
    finding = findings_of(changed(WORKSTATION, rules="", is_superuser=True), tmp_path)["preflight.udev_rules_missing"]
    assert finding.severity is Severity.INFO


def test_a_device_that_this_user_may_not_open_is_told(tmp_path: Path):
    node = "dev/bus/usb/004/" + f"{sum(map(ord, '4-1.1')) % 120:03d}"
    finding = findings_of(changed(WORKSTATION, unwritable=frozenset({node})), tmp_path)["preflight.usb_no_access"]
    assert finding.where == "device 000000000002"


TWO_CONTROLLERS = [*root_hubs(2, 1, "0000:00:14.0"), *root_hubs(4, 3, "0000:05:00.0")]


def test_a_kinect_on_a_usb_2_cable_is_told_by_its_serial_and_port(tmp_path: Path):
    usb = [*TWO_CONTROLLERS, "3-1 045e:097b 480", "3-1.4 045e:097e 480 000000000002"]
    finding = findings_of(changed(WORKSTATION, usb=usb), tmp_path)["preflight.usb_slow"]
    assert finding.where == "device 000000000002"
    assert "at USB port 3-1 only its slower parts are there" in finding.message


def test_a_kinect_whose_cameras_have_a_usb_2_link_is_told_once(tmp_path: Path):
    usb = [*TWO_CONTROLLERS, "3-1 045e:097b 480", "3-1.1 045e:097c 480 000000000002", "3-1.4 045e:097e 480"]
    findings = [f for f in judge_host(case_of(changed(WORKSTATION, usb=usb), tmp_path)) if f.code.endswith("usb_slow")]
    assert [f.where for f in findings] == ["device 000000000002"]
    assert "480 Mbit/s (USB 2)" in findings[0].message


def test_a_slow_half_without_any_serial_is_told_by_its_port(tmp_path: Path):
    usb = [*TWO_CONTROLLERS, *kinect("2-1", "1-1", "000000000001"), "3-2 045e:097b 480"]
    findings = [f for f in judge_host(case_of(changed(WORKSTATION, usb=usb), tmp_path)) if f.code.endswith("usb_slow")]
    assert "USB port 3-2" in [f.where for f in findings]


def test_topology_tells_controllers_hubs_and_ports(tmp_path: Path):
    usb = facts_of(LAPTOP, tmp_path).usb
    assert usb is not None
    assert usb.controllers == ("0000:00:14.0",)
    assert [(k.serial, k.port, k.hubs, k.controller) for k in usb.kinects] == [
        ("000000000001", "2-2.1", ("2-2",), "0000:00:14.0"),
        ("000000000002", "2-2.3.1", ("2-2", "2-2.3"), "0000:00:14.0"),
        ("000000000003", "2-2.3.2", ("2-2", "2-2.3"), "0000:00:14.0"),
    ]


def test_an_overloaded_controller_is_told_once_and_a_free_one_is_named(tmp_path: Path):
    laptop = changed(LAPTOP, usb=[*LAPTOP.usb, *root_hubs(4, 3, "0000:05:00.0")])
    told = [f for f in judge_host(case_of(laptop, tmp_path)) if f.code == "preflight.usb_overloaded"]
    assert [f.where for f in told] == ["USB controller 0000:00:14.0"]
    assert "0000:05:00.0" in told[0].remedy


def test_an_overloaded_hub_is_told_on_a_controller_that_carries_more(tmp_path: Path):
    usb = [
        *root_hubs(2, 1, "0000:00:14.0"),
        "2-2 05e3:0620 5000",
        *kinect("2-1", "1-1", "000000000001"),
        *kinect("2-2.1", "1-2.1", "000000000002"),
        *kinect("2-2.2", "1-2.2", "000000000003"),
    ]
    host = Host(name="pc", usb_mb_per_sec=300)  # two send 333 MB/s
    told = judge_host(case_of(changed(WORKSTATION, usb=usb), tmp_path, host=host))
    assert [f.where for f in told if f.code == "preflight.usb_overloaded"] == [
        "USB controller 0000:00:14.0",
        "USB hub 2-2",
    ]


def test_devices_that_share_a_controller_with_room_are_mentioned(tmp_path: Path):
    finding = findings_of(LAPTOP, tmp_path, camera_fps=15)["preflight.usb_shared"]
    assert finding.severity is Severity.INFO


def test_a_planned_device_that_the_bus_does_not_show_is_told(tmp_path: Path):
    usb = [line for line in WORKSTATION.usb if "000000000003" not in line and not line.startswith(("6-2", "5-2"))]
    finding = findings_of(changed(WORKSTATION, usb=usb), tmp_path)["preflight.usb_device_missing"]
    assert finding.where == "device 000000000003"


def test_without_any_camera_the_topology_counts_as_not_checked(tmp_path: Path):
    findings = judge_host(case_of(changed(WORKSTATION, usb=TWO_CONTROLLERS), tmp_path))
    unchecked = [f for f in findings if f.code == "preflight.not_checked"]
    assert [f.where for f in unchecked] == ["USB topology"]
    assert "no Azure Kinect" in unchecked[0].message


@pytest.mark.parametrize(
    ("governor", "is_told"),
    [
        (("powersave", "acpi-cpufreq", None), True),
        (("powersave", "intel_pstate", "balance_performance"), False),
        (("powersave", "intel_pstate", "power"), True),
        (("schedutil", "acpi-cpufreq", None), False),
    ],
)
def test_a_governor_is_judged_by_what_its_driver_makes_of_it(
    tmp_path: Path, governor: tuple[str, str, str | None], is_told: bool
):
    findings = findings_of(changed(WORKSTATION, governor=governor), tmp_path)
    assert ("preflight.cpu_powersave" in findings) == is_told


def test_a_desktop_without_batteries_and_a_laptop_at_the_mains_run_on_the_mains(tmp_path: Path):
    plugged = {"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Discharging"}}
    assert facts_of(WORKSTATION, tmp_path / "a").power.is_on_battery is False
    assert facts_of(changed(WORKSTATION, supplies=plugged), tmp_path / "b").power.is_on_battery is False


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"display": None}, "no_display", "error"),
        ({"opengl": ("4.3", "Intel")}, "opengl_old", "error"),
        ({"graphics": False}, "no_graphics_device", "warning"),
        ({"opengl": None}, "not_checked", "info"),
        ({"clock": None}, "not_checked", "info"),
        ({"memory_kb": 2_000_000}, "memory_small", "warning"),
    ],
)
def test_what_is_missing_is_told(tmp_path: Path, changes: dict[str, object], code: str, severity: str):
    assert findings_of(changed(WORKSTATION, **changes), tmp_path)[f"preflight.{code}"].severity.value == severity


def test_a_rig_without_depth_needs_neither_display_nor_depth_engine(tmp_path: Path):
    findings = findings_of(changed(WORKSTATION, display=None, graphics=False), tmp_path, depth_mode="OFF")
    assert not {code for code in findings if "display" in code or "graphics" in code}


def test_under_a_virtual_rig_nobody_computes_depth(tmp_path: Path):
    machine = build(changed(WORKSTATION, display=None, graphics=False), tmp_path)
    library = tmp_path / "libk4a.so"
    for variables, codes in (({}, {"no_display", "no_graphics_device", "depth_engine_missing"}), (VIRTUAL, set())):
        facts = gather_facts(
            replace(machine, environment=variables), tmp_path, find_library=lambda: library, disk_test_mb=1
        )
        case = replace(case_of(WORKSTATION, tmp_path), facts=facts)
        found = {f.code.removeprefix("preflight.") for f in judge_host(case)}
        assert found & {"no_display", "no_graphics_device", "depth_engine_missing"} == codes


def test_a_clock_that_nobody_keeps_matters_between_computers(tmp_path: Path):
    case = case_of(changed(WORKSTATION, clock="no"), tmp_path)
    alone, together = (
        next(f for f in judge_host(c) if f.code == "preflight.clock_not_synchronized")
        for c in (case, replace(case, is_one_of_several=True))
    )
    assert (alone.severity, together.severity) == (Severity.INFO, Severity.WARNING)


@pytest.mark.parametrize(
    ("disk", "code", "severity"),
    [
        ({"write_mb_per_sec": 5.0}, "disk_slow", "error"),
        ({"write_mb_per_sec": 40.0}, "disk_slow", "warning"),
        ({"write_mb_per_sec": None, "write_error": "Permission denied"}, "disk_not_writable", "error"),
        ({"filesystem": "vfat"}, "disk_small_files", "warning"),
        ({"filesystem": "nfs4"}, "disk_remote", "warning"),
        ({"filesystem": "fuse." + "sshfs"}, "disk_remote", "warning"),
        ({"filesystem": "tmpfs"}, "disk_is_memory", "warning"),
    ],
)
def test_disks_that_cannot_hold_a_take_are_told(tmp_path: Path, disk: dict[str, object], code: str, severity: str):
    case = case_of(WORKSTATION, tmp_path)  # 22.1 MB/s of depth and IR, 42.8 with color
    case = replace(case, facts=replace(case.facts, disk=replace(case.facts.disk, **disk)))
    assert {f.code: f.severity.value for f in judge_host(case)}[f"preflight.{code}"] == severity


def test_decoding_more_images_than_the_processors_can_is_told(tmp_path: Path):
    case = case_of(WORKSTATION, tmp_path, color_format="BGRA32")
    # 3 devices x 30 fps x 100 ms = 9 of 16 processors; at 200 ms 18.
    for decode_msec, severity in ((100.0, "warning"), (200.0, "error"), (10.0, None)):
        jpeg = replace(case.facts.jpeg, decode_msec={"720P": decode_msec})
        found = {f.code: f.severity.value for f in judge_host(replace(case, facts=replace(case.facts, jpeg=jpeg)))}
        assert found.get("preflight.jpeg_budget") == severity


def test_another_system_is_told_what_was_not_looked_at(tmp_path: Path):
    findings = findings_of(changed(WORKSTATION, system="Windows"), tmp_path)
    assert "this is Windows" in findings["preflight.not_checked"].message
    assert "preflight.usbfs_memory_small" not in findings


def test_an_empty_computer_fails_no_gatherer_and_names_everything_unknown(tmp_path: Path):
    empty = Layout(usbfs_memory_mb=None, rules=None, grub=None, cpus=0, graphics=False, display=None, clock=None)
    findings = judge_host(case_of(empty, tmp_path))
    unchecked = {f.where for f in findings if f.code == "preflight.not_checked"}
    assert unchecked == {"usbfs memory", "udev rules", "USB topology", "processor governor", "clock"}


def test_facts_are_json_and_the_test_file_is_gone(tmp_path: Path):
    facts = gather_facts(
        build(WORKSTATION, tmp_path), tmp_path / "takes/new", find_library=lambda: tmp_path / "none", disk_test_mb=1
    )
    json.dumps(facts.to_json(), allow_nan=False)
    assert facts.disk.folder == str(tmp_path)
    assert facts.disk.write_mb_per_sec is not None
    assert facts.disk.write_mb_per_sec > 0
    assert not list(tmp_path.glob(".genlock*"))


def test_the_depth_engine_is_looked_for_beside_the_library(tmp_path: Path):
    library = installed_sdk(tmp_path)
    case = case_of(WORKSTATION, tmp_path)
    assert case.facts.sdk.depth_engine == str(library.parent / "libdepthengine.so.2.0")
    (library.parent / "libdepthengine.so.2.0").unlink()
    facts = gather_facts(build(WORKSTATION, tmp_path), tmp_path, find_library=lambda: library, disk_test_mb=1)
    assert "preflight.depth_engine_missing" in {f.code for f in judge_host(replace(case, facts=facts))}


@pytest.mark.parametrize(("target", "error"), [("x" * 300 + "/takes", "name too long"), ("file", "is a file")])
def test_a_target_that_no_take_can_go_to_is_told(tmp_path: Path, target: str, error: str):
    """A folder of somebody else's fails like a name that no file system takes: already when it is asked for."""
    (tmp_path / "file").touch()
    machine = build(WORKSTATION, tmp_path)
    facts = gather_facts(machine, tmp_path / target, find_library=lambda: tmp_path / "none", disk_test_mb=1)
    assert facts.disk.folder == str(tmp_path)
    assert facts.disk.write_mb_per_sec is None
    assert error in facts.disk.write_error
