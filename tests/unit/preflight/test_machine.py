"""The computer itself, through the same door as the built ones: real files, real processes."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from genlock.preflight import gather_facts, this_machine
from genlock.preflight import machine as machine_module


def test_a_command_is_given_its_input_and_answers_with_what_it_printed():
    echo = (sys.executable, "-c", "import sys; print(sys.stdin.read().upper())")
    assert this_machine().run(echo, "hello") == "HELLO"


@pytest.mark.parametrize(
    "command", [("no-such-command-anywhere",), (sys.executable, "-c", "import sys; sys.exit(3)")], ids=["none", "fails"]
)
def test_a_command_that_is_missing_or_fails_has_no_answer(command: tuple[str, ...]):
    assert this_machine().run(command, "") is None


def test_a_command_that_hangs_has_no_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machine_module, "_COMMAND_TIMEOUT_SEC", 0.2)
    assert this_machine().run((sys.executable, "-c", "import time; time.sleep(30)"), "") is None


def test_files_that_are_missing_or_hold_no_number_are_none(tmp_path: Path):
    machine = replace(this_machine(), root=tmp_path)
    (tmp_path / "speed").write_text("fast\n")
    (tmp_path / "count").write_text("16\n")
    assert (machine.read("/speed"), machine.number("/speed")) == ("fast", None)
    assert (machine.number("/count"), machine.number("/missing"), machine.read("/missing")) == (16, None, None)
    assert machine.entries("/missing") is None


def test_this_computer_can_be_looked_at(tmp_path: Path):
    facts = gather_facts(this_machine(), tmp_path, find_library=lambda: tmp_path / "libk4a.so", disk_test_mb=1)
    assert facts.cpu.logical_cpus >= 1
    assert facts.disk.free_gb >= 0
    assert facts.jpeg.encode_preview_msec > 0
