"""Room on the disk, judged before a take."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from genlock.findings import Severity
from genlock.recording import check_space


def test_a_folder_that_may_not_be_looked_into_is_left_to_who_makes_the_takes_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    assert list(check_space(tmp_path / "closed" / "take", seconds=10, exact_mb_per_sec=40, mb_per_sec=70)) == []


@pytest.mark.parametrize(
    ("free_mb", "severity"), [(1000, None), (700, None), (699, Severity.WARNING), (399, Severity.ERROR)]
)
def test_too_little_for_depth_alone_is_an_error_too_little_for_usual_color_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, severity: Severity | None
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=free_mb * 1_000_000))
    found = list(check_space(tmp_path / "not" / "there", seconds=10, exact_mb_per_sec=40, mb_per_sec=70))
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert finding.code == "session.disk_too_small"
        assert f"{free_mb / 1000:.2f} GB are free" in finding.message
