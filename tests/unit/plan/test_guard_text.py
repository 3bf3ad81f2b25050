"""What a plan says of its guard when there is no number."""

import pytest

from genlock.plan import make_plan
from genlock.rig import parse_rig
from genlock.testing.rigs import rig_toml


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (rig_toml(3), "108.3 us"),
        (rig_toml(2, {"depth_mode": "PASSIVE_IR"}), "none needed: no two lasers see the same space"),
        (rig_toml(2, wiring=['topology = "standalone"']), "not computed: standalone devices have no common clock"),
    ],
    ids=["staggered", "dark", "standalone"],
)
def test_the_guard_is_told_in_words(toml: str, says: str):
    assert make_plan(parse_rig(toml)).guard_text == says
