"""The virtual libk4a against what the SDK's functional tests ask of cameras, and the proof that these would notice.

The suite in ``virtual_suite/`` is a program like any other: a pytest that calls libk4a's functions and knows nothing
of genlock. Here it runs under ``genlock virtual``, one file at a time and all at once, on black images. With
``GENLOCK_SUITE_FULL=1`` it runs at full length too: every mode, format and rate for four seconds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from conformance.libraries import LibrariesMissingError, find_libraries
from conformance.virtual_runs import VirtualRuns, suite_command

IS_FULL = bool(os.environ.get("GENLOCK_SUITE_FULL"))
_PATIENCE_SEC = 280

FILES = {"opening.py": 17, "streaming.py": 41, "controls.py": 26, "inertial.py": 11, "several.py": 20, "modes.py": 23}
"""How many tests there are at least in each: none may go missing unseen."""


NOTICED = {
    "jacks ignored at start": ("several.py", "the_jacks_decide", "jacks_ignored", ()),
    "a subordinate that does not wait": ("several.py", "waits_for_its_master", "subordinates_do_not_wait", ()),
    "an IMU at the wrong rate": ("inertial.py", "right_rate", "imu_at_1500_hz", ()),
    "10 ppm of drift": ("several.py", "do_not_drift", "", ["free_running:000000000002=10"]),
    "a cable that is not there": ("several.py", "keep_their_delays and F30", "", ["dead_port:000000000002"]),
    "one camera starved": ("inertial.py", "samples_all_come and F30", "", ["usb_starved:000000000001=0.3"]),
}
"""Where a test must fail, and what is wrong then: planted in the server, or a fault of the rig."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualRuns]:
    try:
        made = VirtualRuns(tmp_path_factory.mktemp("virtual"))
    except LibrariesMissingError as error:
        pytest.skip(str(error))
    yield made
    made.end()


@pytest.fixture(scope="module")
def passing(runs: VirtualRuns) -> dict[str, subprocess.Popen[str]]:
    """Every file at once: they wait for images far more than they compute."""
    return {file: runs.start(file, suite_command(file), devices=4 if file == "several.py" else 2) for file in FILES}


@pytest.fixture(scope="module")
def noticing(runs: VirtualRuns) -> dict[str, subprocess.Popen[str]]:
    """Every planted fault at once, after those: what computes then may not make the others late."""
    return {
        name: runs.start(f"planted-{place}", suite_command(file, selection), planted=plant, faults=faults)
        for place, (name, (file, selection, plant, faults)) in enumerate(NOTICED.items())
    }


@pytest.mark.parametrize("file", FILES)
def test_the_suite_passes(passing: dict[str, subprocess.Popen[str]], file: str) -> None:
    out, err = passing[file].communicate(timeout=_PATIENCE_SEC)
    assert passing[file].returncode == 0, out + err
    assert _count(out, "passed") >= FILES[file], out
    assert "Traceback" not in err


def _count(out: str, what: str) -> int:
    """The number before that word in pytest's last line."""
    words = out.strip().splitlines()[-1].replace(",", "").split()
    return int(words[words.index(what) - 1]) if what in words else 0


@pytest.mark.parametrize("name", NOTICED)
def test_the_suite_notices(noticing: dict[str, subprocess.Popen[str]], name: str) -> None:
    out, err = noticing[name].communicate(timeout=_PATIENCE_SEC)
    assert noticing[name].returncode == 1, out + err  # of pytest: tests failed, nothing else
    assert _count(out, "failed") == 1, out
    assert "Traceback" not in err


def test_a_program_that_opens_libk4a_by_its_path_sees_the_rig(runs: VirtualRuns) -> None:
    """As ctypes and cffi clients do that are told where it is: the loader then looks into that file alone."""
    program = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).k4a_device_get_installed_count())"
    path = next(find_libraries().glob("libk4a[-.]*so*"))
    process = runs.start("by-path", [sys.executable, "-c", program, str(path)])
    assert process.communicate(timeout=_PATIENCE_SEC) == ("2\n", "")


@pytest.mark.skipif(not IS_FULL, reason="takes twelve minutes: set GENLOCK_SUITE_FULL=1")
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("file", ["modes.py", "controls.py", "inertial.py", "several.py"])
def test_the_suite_passes_at_full_length(runs: VirtualRuns, file: str) -> None:
    process = runs.start(
        f"full-{file}",
        suite_command(file),
        environment={"SUITE_FULL": "1", "SUITE_SEED": "2"},
    )
    out, err = process.communicate(timeout=3_500)
    assert process.returncode == 0, out + err
