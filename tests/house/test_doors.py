"""A room's ``__init__`` is its door: other rooms import from it and from nothing behind it."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "genlock"
# These rooms are sets of separate files by design: a file per workflow, per verb, per test helper, per backend.
OPEN_ROOMS = {"workflows", "cli", "testing"}


def rooms() -> set[str]:
    return {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def imports_behind_doors(source: str, own_room: str | None, all_rooms: set[str]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "genlock" and len(parts) > 2 and parts[1] in all_rooms - OPEN_ROOMS - {own_room}:
                yield module


def test_rooms_are_entered_through_their_doors():
    # k4a.calibration and devices.scenario are doors of their own: the one needs geometry, the other is what a user
    # says to the simulator.
    own_doors = {"genlock.k4a.calibration", "genlock.devices.scenario"}
    behind = [
        f"{path.relative_to(SOURCE)} imports {module}"
        for path in SOURCE.rglob("*.py")
        for module in imports_behind_doors(
            path.read_text(), path.relative_to(SOURCE).parts[0] if path.parent != SOURCE else None, rooms()
        )
        if module not in own_doors
    ]
    assert behind == []


def test_this_check_can_fail():
    planted = "from genlock.plan.delays import choose\nimport genlock.rig.model\nfrom genlock.plan import make_plan\n"
    assert list(imports_behind_doors(planted, "session", {"plan", "rig"})) == [
        "genlock.plan.delays",
        "genlock.rig.model",
    ]
    assert list(imports_behind_doors(planted, "plan", {"plan", "rig"})) == ["genlock.rig.model"]
