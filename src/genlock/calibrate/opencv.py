"""OpenCV, loaded when it is needed, and said plainly when it is not there."""

from __future__ import annotations

from types import ModuleType

from genlock.errors import BackendUnavailableError

__all__ = ["load_opencv"]


def load_opencv() -> ModuleType:
    """The module ``cv2``. Any of OpenCV's four packages will do, from 4.8 on; two of them at once destroy each other.

    Raises:
        BackendUnavailableError: it is not installed, does not load, or is too old.
    """
    try:
        import cv2
    except ImportError as error:
        raise BackendUnavailableError(
            f"calibrating needs OpenCV, which does not load here ({error}); pip install 'genlock[calibrate]'"
        ) from error
    if not hasattr(cv2, "aruco") or not hasattr(cv2.aruco, "CharucoDetector"):
        raise BackendUnavailableError(
            f"calibrating needs OpenCV 4.8 or newer with its aruco module; this is {cv2.__version__}"
        )
    return cv2
