"""The package's markers are OpenCV's, one by one."""

import numpy as np
import pytest

from genlock.targets import UnknownDictionaryError, marker_modules


def test_every_marker_of_every_dictionary_is_opencvs():
    pytest.importorskip("cv2", reason="OpenCV is not installed: pip install 'genlock[calibrate]'", exc_type=ImportError)
    from support.make_markers import opencv_dictionaries

    dictionaries = opencv_dictionaries()
    assert {"DICT_4X4_50", "DICT_5X5_250", "DICT_6X6_1000", "DICT_APRILTAG_36h11"} <= set(dictionaries)
    for name, modules in dictionaries.items():
        np.testing.assert_array_equal(marker_modules(name, len(modules)), modules, err_msg=name)
        with pytest.raises(UnknownDictionaryError, match=f"has {len(modules)} markers; {len(modules) + 1} are wanted"):
            marker_modules(name, len(modules) + 1)


def test_a_well_known_marker_looks_as_it_does():
    """The first of the 4 x 4 markers, as it is on boards everywhere."""
    rows = ["".join(".#"[module] for module in row) for row in marker_modules("DICT_4X4_50", 1)[0].astype(int)]
    assert rows == ["#.##", ".#.#", "..##", "..#."]


@pytest.mark.parametrize("name", ["", "DICT_9X9_50", "DICT_5X5", "DICT_5X5_251", "5X5_250", "DICT_APRILTAG_36h11_50"])
def test_a_dictionary_that_is_none_is_refused_with_those_that_there_are(name: str):
    with pytest.raises(UnknownDictionaryError, match=r"no dictionary .*DICT_5X5_1000.* 50, 100 and 250"):
        marker_modules(name, 1)
