"""Firmware rules: data for whoever opens devices."""

import pytest

from genlock.plan import KNOWN_FAULTS, OPEN_MINIMUM, RIG_MINIMUM, FirmwareVersions, check_firmware

NEW = FirmwareVersions((1, 6, 110), (1, 6, 80))


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ([NEW, NEW], []),
        ([RIG_MINIMUM], []),
        ([FirmwareVersions((1, 5, 91), (1, 5, 66))], ["error plan.firmware_too_old"]),
        ([FirmwareVersions((1, 5, 92), (1, 5, 65))], ["error plan.firmware_too_old"]),
        ([OPEN_MINIMUM], ["warning plan.firmware_old"]),
        ([FirmwareVersions((1, 6, 110), (1, 6, 78))], ["warning plan.firmware_old"]),
        ([NEW, FirmwareVersions((1, 6, 110), (1, 6, 79))], ["warning plan.firmware_unequal"]),
        ([], []),
    ],
)
def test_firmware_is_judged(versions, expected):
    findings = check_firmware({str(i): version for i, version in enumerate(versions)})
    assert [f"{f.severity} {f.code}" for f in findings] == expected


def test_what_is_known_of_a_version_is_told():
    (finding,) = check_firmware({"1": FirmwareVersions((1, 6, 107), (1, 6, 79))})
    assert "#1098" in finding.message and "#818" in finding.message
    assert "#529" not in finding.message  # fixed in 1.6.104
    assert all(fault.since < fault.fixed for fault in KNOWN_FAULTS)
