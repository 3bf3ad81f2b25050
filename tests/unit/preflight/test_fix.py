"""``--fix`` asks before it changes anything."""

import io
import sys
from pathlib import Path

import pytest

from genlock.cli.preflight import _fix
from genlock.preflight import gather_facts
from support.machines import WORKSTATION, build, changed

USBFS = "sys/module/usbcore/parameters/usbfs_memory_mb"


@pytest.mark.parametrize(
    ("typed", "is_asked", "is_changed"),
    [("y\n", True, True), ("n\n", True, False), ("\n", True, False), ("", True, False), ("", False, True)],
)
def test_only_a_yes_changes_the_memory(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    is_asked: bool,
    is_changed: bool,
):
    machine = build(changed(WORKSTATION, usbfs_memory_mb=16), tmp_path)
    facts = gather_facts(machine, tmp_path, find_library=lambda: tmp_path / "libk4a.so", disk_test_mb=1)
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    note, changed_now = _fix(machine, facts, 96, is_asked=is_asked)
    assert changed_now is is_changed
    assert (tmp_path / USBFS).read_text() == ("96\n" if is_changed else "16\n")
    assert ("was 16 and is 96" in note) is is_changed
    assert ("from 16 to 96 until the next restart? [y/N]" in capsys.readouterr().err) is is_asked
