"""``--json`` prints exactly one object, whatever is asked."""

import pytest


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["plan", "--help"], ["plan", "x.toml", "--json=true"], ["verify"]],
    ids=" ".join,
)
def test_one_object_even_for_help_and_mistakes(genlock, arguments: list[str]):
    if "--json=true" not in arguments:
        arguments = [*arguments, "--json"]
    answer = genlock(*arguments)
    assert answer.json["format_version"] == 1


@pytest.mark.parametrize("seconds", ["inf", "nan", "1e30", "0"])
def test_a_take_of_impossible_length_is_refused(genlock, seconds: str):
    assert genlock("demo", "--seconds", seconds).status == 2


def test_a_picture_that_cannot_be_written_is_named_by_its_own_name(genlock, tmp_path):
    from genlock.testing.rigs import rig_toml

    (tmp_path / "rig.toml").write_text(rig_toml(2))
    done = genlock("plan", "rig.toml", "--svg", "/nonexistent/timeline.svg")
    assert done.status == 3
    assert "/nonexistent/timeline.svg" in done.err
    assert ".tmp" not in done.err
