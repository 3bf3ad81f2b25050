"""Every public number with a unit carries it in its name."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "genlock"

# Words that name a measured quantity: a field called so, or ending so, says nothing about its unit.
BARE = (
    "delay offset error drift jitter duration period timeout width height exposure distance length position size "
    "timestamp time elapsed rate temperature skew guard gap span frequency"
).split()


def bare_fields(source: str) -> Iterator[str]:
    """Public numeric fields of classes whose name ends in a bare quantity."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for item in node.body:
            if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
                continue
            name = item.target.id
            is_number = any(word in ast.unparse(item.annotation) for word in ("int", "float"))
            if is_number and not name.startswith("_") and name.split("_")[-1] in BARE:
                yield f"{node.name}.{name}"


def test_no_public_number_hides_its_unit():
    bare = [
        f"{path.relative_to(SOURCE)}: {field}"
        for path in SOURCE.rglob("*.py")
        for field in bare_fields(path.read_text())
    ]
    assert bare == []


def test_this_check_can_fail():
    planted = (
        "class Planned:\n    exposure: int\n    exposure_usec: int\n    depth_delay: float | None\n    _gap: int\n"
    )
    assert list(bare_fields(planted)) == ["Planned.exposure", "Planned.depth_delay"]
