"""Is this computer ready?  Facts gathered from it, rules that judge them against a plan, findings that repair."""

from genlock.preflight.case import Case
from genlock.preflight.device_checks import AskedDevice, DeviceAnswers, ask_devices, judge_devices
from genlock.preflight.facts import (
    CpuFacts,
    DiskFacts,
    DisplayFacts,
    HostFacts,
    JpegFacts,
    KinectUsb,
    PowerFacts,
    SdkFacts,
    UsbFacts,
    UsbfsFacts,
)
from genlock.preflight.gather import gather_facts
from genlock.preflight.judge import judge_host
from genlock.preflight.machine import Machine, this_machine
from genlock.preflight.measure import DISK_TEST_MB
from genlock.preflight.repair import set_usbfs_memory
from genlock.preflight.usb import USBFS_FILE, gather_usb
from genlock.preflight.usb_checks import needed_usbfs_mb

__all__ = [
    "DISK_TEST_MB",
    "USBFS_FILE",
    "AskedDevice",
    "Case",
    "CpuFacts",
    "DeviceAnswers",
    "DiskFacts",
    "DisplayFacts",
    "HostFacts",
    "JpegFacts",
    "KinectUsb",
    "Machine",
    "PowerFacts",
    "SdkFacts",
    "UsbFacts",
    "UsbfsFacts",
    "ask_devices",
    "gather_facts",
    "gather_usb",
    "judge_devices",
    "judge_host",
    "needed_usbfs_mb",
    "set_usbfs_memory",
    "this_machine",
]
