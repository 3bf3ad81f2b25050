"""Facts and plan in, findings out."""

from __future__ import annotations

from collections.abc import Iterator

from genlock.findings import Finding
from genlock.preflight.case import Case, not_checked
from genlock.preflight.host_checks import HOST_RULES, LINUX_ONLY
from genlock.preflight.usb_checks import USB_RULES

__all__ = ["judge_host"]


def judge_host(case: Case) -> tuple[Finding, ...]:
    """Everything that the rules have to say about a computer; what could not be checked is among it."""
    return tuple(_findings(case))


def _findings(case: Case) -> Iterator[Finding]:
    if case.facts.system == "Linux":
        for rule in (*USB_RULES, *LINUX_ONLY):
            yield from rule(case)
    else:
        yield not_checked(
            "USB, power, clock, graphics",
            f"these are read from Linux's /sys and /proc; this is {case.facts.system}",
            "By hand: each device on a USB 3 port with a controller of its own, high-performance power plan, no USB "
            "selective suspend, the graphics card's driver, the clock kept by a time server.",
        )
    for rule in HOST_RULES:
        yield from rule(case)
