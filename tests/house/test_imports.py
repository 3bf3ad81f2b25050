"""``import genlock`` is instant, the terminal answers at once, and imports point down."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {"numpy", "numba", "cv2", "pydantic", "jinja2", "simplejpeg", "fastapi", "scipy"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_genlock_loads_nothing_heavy():
    assert loaded_by("import genlock") & HEAVY == set()


def test_the_command_line_loads_nothing_heavy_until_a_verb_runs():
    assert loaded_by("import genlock.cli.main") & HEAVY == set()


def test_this_check_can_fail():
    assert "numpy" in loaded_by("import genlock.capture") & HEAVY


def test_the_version_is_read_without_loading_anything():
    done = subprocess.run([sys.executable, "-m", "genlock", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"


@pytest.mark.parametrize("room", ["session", "verify", "recording", "plan", "rig", "sync", "k4a", "geometry"])
def test_a_planted_upward_import_breaks_the_layers(room: str):
    """The contracts name every room, so import-linter (in ``make check``) cannot pass over one."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [name.strip() for layer in contracts[0]["layers"] for name in layer.split("|")]
    assert room in layers
    assert contracts[0]["exhaustive"]
