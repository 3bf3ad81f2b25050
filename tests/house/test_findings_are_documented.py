"""Every finding that the code can emit is explained in the reference."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(
    r"""["'](?:rig|plan|devices|session|recording|verify|sim|preflight|calibrate|fuse)\.([a-z0-9_]+)["']"""
)
HEADING = re.compile(r"^### `([a-z0-9_]+\.[a-z0-9_]+)`", re.MULTILINE)


def emitted(source: str) -> set[str]:
    codes = {match.group(0).strip("\"'") for match in CODE.finditer(source)}
    return {code for code in codes if not code.endswith((".json", ".toml"))}  # those are files of a session folder


def documented() -> set[str]:
    pages = (ROOT / "docs" / "reference" / "findings").glob("*.md")
    return {code for page in pages for code in HEADING.findall(page.read_text(encoding="utf-8"))}


def test_every_finding_code_in_the_source_is_documented():
    in_source = {code for path in (ROOT / "src").rglob("*.py") for code in emitted(path.read_text(encoding="utf-8"))}
    assert in_source - documented() == set()


def test_this_check_can_fail():
    planted = 'Finding("plan.never_documented", Severity.ERROR)'
    assert emitted(planted) - documented() == {"plan.never_documented"}
