"""The docs cannot drift: every verb is documented, the reference is generated, the examples run."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genlock.cli.reference import cli_reference, verbs

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CONSOLE = re.compile(r"^```(?:console|bash|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?genlock (.+)$", re.MULTILINE)


def test_the_cli_reference_is_what_the_program_says():
    page = ROOT / "docs" / "reference" / "cli.md"
    assert page.read_text(encoding="utf-8") == cli_reference(), "run: python -m genlock.cli.reference"


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_help_with_an_example_and_json(verb: str):
    section = cli_reference().split(f"## `genlock {verb}`")[1].split("\n## ")[0]
    assert "Example: genlock" in section
    assert "--json" in section


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_in_the_readme(verb: str):
    assert f"genlock {verb}" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_name_verbs_that_exist(page: Path):
    for command in COMMAND.findall("".join(CONSOLE.findall(page.read_text(encoding="utf-8")))):
        assert any(command.startswith(verb) for verb in (*verbs(), "--")), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md")} - {"README.md"}
    assert pages == set(re.findall(r"\]\((\S+\.md)\)", index))


def test_the_examples_run(tmp_path: Path):
    def run(*command: object) -> str:
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    live = run(ROOT / "examples" / "01_record_a_virtual_rig.py").splitlines()
    assert len(live) == 15 * 3  # half a second at 30 fps, three devices
    take = tmp_path / "take"
    run(
        "-m", "genlock", "record", ROOT / "examples" / "studio.toml", "-o", take, "--seconds", "0.5", "--backend", "sim"
    )
    recorded = run(ROOT / "examples" / "02_read_a_recorded_session.py", take).splitlines()
    # The same rig, seed and loop: the recorded sets are the live ones, then those that were under way at the end.
    assert recorded[: len(live)] == live


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "```python" in p.read_text(encoding="utf-8")], ids=lambda p: p.name
)
def test_python_in_the_docs_runs(page: Path):
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_tutorial_without_hardware_shows_what_the_program_prints(tmp_path: Path):
    page = (ROOT / "docs" / "tutorials" / "a-rig-without-hardware.md").read_text(encoding="utf-8")
    printed = ""
    for kind, block in re.findall(r"^```(console|text)\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        if kind == "text":
            for line in block.splitlines():
                assert line.strip() in printed, line
            continue
        printed = ""
        for command in block.splitlines():
            words = command.split("#")[0].split()
            assert words[0] == "genlock"
            done = subprocess.run(
                [sys.executable, "-m", *words],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                env={**os.environ, "COLUMNS": "160"},
            )
            assert done.returncode in (0, 1), done.stderr  # 1: the spoiled take
            printed += done.stdout
