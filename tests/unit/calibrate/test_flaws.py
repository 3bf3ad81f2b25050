"""Images that cannot be trusted are found and named; good ones are not."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)

import cv2

from genlock.calibrate import Detection, Look, TargetDetector, View, find_blurred, gather, look_at_gray, solve_poses
from genlock.targets import parse_target
from unit.calibrate.rigs import TARGET, make_rig
from unit.calibrate.test_detect import painted

BOARD = "charuco:7x5:40mm:30mm:DICT_5X5_250"


def smeared(image: np.ndarray, width_px: int) -> np.ndarray:
    kernel = np.zeros((width_px, width_px))
    kernel[width_px // 2] = 1 / width_px
    return cv2.filter2D(image, -1, kernel)


def looks_of(images: list[np.ndarray]) -> dict[View, Look]:
    detector = TargetDetector(parse_target(BOARD))
    return {View("a", number): look_at_gray(image, detector) for number, image in enumerate(images)}


def film() -> list[np.ndarray]:
    """Ten sharp images with a sensor's noise."""
    rng = np.random.default_rng(0)
    sharp = [painted(BOARD, square_px)[0].astype(np.int16) // 2 + 40 for square_px in np.linspace(45, 65, 10)]
    return [np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8) for image in sharp]


def test_sharp_images_are_not_called_blurred():
    assert find_blurred(looks_of(film())) == {}


@pytest.mark.parametrize("width_px", [7, 25])
def test_motion_blur_is_named_whether_the_board_is_still_found_or_not(width_px: int):
    images = film()
    images[4] = smeared(images[4], width_px)
    looks = looks_of(images)
    assert bool(len(looks[View("a", 4)].seen)) == (width_px == 7)
    ((view, reason),) = find_blurred(looks).items()
    assert view == View("a", 4)
    assert reason.startswith("blurred")


def test_a_lens_that_is_always_soft_is_no_blurred_image():
    assert find_blurred(looks_of([cv2.GaussianBlur(image, (0, 0), 1.5) for image in film()])) == {}


def test_a_board_that_leaves_the_view_is_no_blurred_image():
    images = film()
    images[5:] = [np.full_like(images[0], 90) + (np.arange(images[0].shape[1]) % 7).astype(np.uint8) for _ in range(5)]
    assert find_blurred(looks_of(images)) == {}


def test_a_black_image_is_called_black():
    assert look_at_gray(np.full((400, 500), 3, np.uint8), TargetDetector(parse_target(BOARD))).flaw == "black"


def test_a_torn_image_is_named_with_its_row_and_its_good_half_is_not_used():
    """The upper part shows the board 30 px beside where the lower part shows it."""
    rig = make_rig("wall", 3, 25, seed=3)
    found, torn = dict(rig.found), [View("1", 4), View("2", 11)]
    for view in torn:
        px = found[view].px.copy()
        row = np.quantile(px[:, 1], 0.4)
        px[px[:, 1] < row, 0] += 30
        found[view] = Detection(found[view].corners, px)
    solved = solve_poses(gather(rig.observations.cameras, found), TARGET.corners_board)
    assert solved is not None
    assert {r.view: r.reason.split(" (")[0] for r in solved.rejections} == dict.fromkeys(torn, "torn")
    assert solved.rejected_corners == 0
    assert solved.training_rms_px == pytest.approx(0.15 * np.sqrt(2), rel=0.05)


def test_no_sound_view_is_called_torn():
    for seed in range(5):
        rig = make_rig("wall", 4, 20, noise_px=0.6, seed=seed)
        solved = solve_poses(rig.observations, TARGET.corners_board)
        assert solved is not None
        assert not any("torn" in r.reason for r in solved.rejections)
