"""What was seen, what is missing, what to film next."""

import numpy as np

from genlock.calibrate import Coverage, Detection
from genlock.calibrate.coverage import POSITIONS_WANTED
from genlock.geometry import Pose, rotation_from_vector
from unit.calibrate.rigs import LENS, TARGET

CORNERS = TARGET.corners_board
NOTHING = Detection(np.empty(0, np.int64), np.empty((0, 2)))


def board_at(x_m: float, y_m: float, z_m: float = 2.0, tilt_rad: float = 0.0) -> Detection:
    """What a camera sees of the board with its middle there."""
    turn = rotation_from_vector(np.array([0, tilt_rad, 0]))
    middle = CORNERS.mean(axis=0)
    points = Pose("cam", "board", turn, np.array([x_m, y_m, z_m]) - turn @ middle).apply(CORNERS)
    px, is_valid = LENS.project(points)
    return Detection(np.nonzero(is_valid)[0], px[is_valid])


def coverage(*cameras: str) -> Coverage:
    return Coverage(dict.fromkeys(cameras, LENS), CORNERS)


def positions(count: int) -> list[Detection]:
    """Apart from each other, all over the image, tilted this way and that."""
    spots = [(x, y) for y in (-0.5, 0.0, 0.5) for x in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    return [board_at(*spots[number], tilt_rad=0.5 * (-1) ** number) for number in range(count)]


def test_at_first_two_cameras_are_asked_for():
    guidance = coverage("a", "b").guidance()
    assert "two cameras" in guidance.next_step
    assert not guidance.is_enough


def test_a_board_that_is_held_still_counts_once():
    seen = coverage("a", "b")
    for _ in range(50):
        seen.add({"a": board_at(0, 0), "b": board_at(0.2, 0)})
    camera = seen.guidance().cameras[0]
    assert camera.positions == 1
    assert camera.shared == {"b": 1}
    assert camera.sees_board_now


def test_enough_is_enough_once_all_are_joined_and_tilted():
    seen = coverage("a", "b")
    for number, board in enumerate(positions(POSITIONS_WANTED)):
        assert not seen.guidance().is_enough, number
        seen.add({"a": board, "b": board})
    guidance = seen.guidance()
    assert guidance.is_enough
    assert guidance.groups == (("a", "b"),)


def test_a_chain_joins_cameras_that_never_look_together():
    seen = coverage("a", "b", "c")
    for board in positions(POSITIONS_WANTED):
        seen.add({"a": board, "b": board, "c": NOTHING})
    assert "show the board to c and a neighbour" in seen.guidance().next_step
    for board in positions(POSITIONS_WANTED)[::-1]:
        moved = Detection(board.corners, board.px + 120)
        seen.add({"b": moved, "c": board})
    assert len(seen.guidance().groups) == 1


def test_the_bridge_that_is_nearest_to_being_one_is_asked_for():
    seen = coverage("a", "b", "c")
    for number, board in enumerate(positions(POSITIONS_WANTED - 2)):
        seen.add({"a": board, "b": board} if number < 3 else {"b": board, "c": board})
    assert f"b and c both see it: {POSITIONS_WANTED - 5} of {POSITIONS_WANTED}" in seen.guidance().next_step


def test_a_board_that_is_never_tilted_is_said_to():
    seen = coverage("a", "b")
    for x in np.linspace(-1, 1, 8):
        for y in (-0.5, 0, 0.5):
            seen.add({"a": board_at(x, y), "b": board_at(x, y)})
    assert "tilt the board" in seen.guidance().next_step


def test_a_board_in_the_middle_alone_asks_for_other_regions():
    seen = coverage("a", "b")
    for number in range(40):
        board = board_at(0, 0, z_m=2.6 + 0.3 * number, tilt_rad=0.6 * (-1) ** number)
        seen.add({"a": board, "b": board})
    assert seen.guidance().cameras[0].missing_regions[0] == "top left"
    assert sum(seen.guidance().cameras[0].regions) < 9
