"""What concerns the whole suite: its options, and that it leaves nothing behind in the checkout or the user's cache."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from genlock.cache import CACHE_VARIABLE

ROOT = Path(__file__).parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--k4a-serials",
        default="",
        metavar="MASTER,SUBORDINATE",
        help="two real cameras, wired from the first one's Sync Out to the second one's Sync In: runs the tests "
        "marked device on them",
    )


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_in_the_checkout() -> Iterator[None]:
    """A verb without its ``-o`` writes where it is called: the last test to end tells of it."""
    before = set(ROOT.iterdir())
    yield
    left = sorted(path.name for path in set(ROOT.iterdir()) - before if not path.name.startswith("."))
    assert not left, f"some test left these in {ROOT}: {', '.join(left)}"


@pytest.fixture(scope="session", autouse=True)
def a_cache_of_their_own() -> Iterator[None]:
    """Tests neither see nor fill the user's cache; the programs that they start have this one too."""
    before = os.environ.get(CACHE_VARIABLE)
    with tempfile.TemporaryDirectory(prefix="genlock-cache-") as folder:
        os.environ[CACHE_VARIABLE] = folder
        yield
        if before is None:
            del os.environ[CACHE_VARIABLE]
        else:
            os.environ[CACHE_VARIABLE] = before
