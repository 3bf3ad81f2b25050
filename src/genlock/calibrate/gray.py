"""Images as detection wants them: 8 bits, gray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.k4a import ImageFormat
from genlock.pixels import to_rgb

__all__ = ["GrayImage", "gray_image", "infrared_gray"]

GrayImage = NDArray[np.uint8]  # (H, W)

_WEIGHTS = np.array([77, 150, 29], dtype=np.uint16)  # BT.601, in 256ths


def gray_image(image: Image) -> GrayImage:
    """A color or IR image in 8-bit gray.

    Raises:
        ValueError: its bytes are damaged.
    """
    if image.image_format is ImageFormat.IR16:
        return infrared_gray(image.pixels)
    return np.asarray((to_rgb(image) @ _WEIGHTS >> 8).astype(np.uint8))


def infrared_gray(pixels: NDArray[np.uint16]) -> GrayImage:
    """Infrared falls off with distance: its root is shown, up to its 99th percentile."""
    root = np.sqrt(pixels.astype(np.float32))
    return np.asarray(np.clip(root * (255 / max(float(np.quantile(root, 0.99)), 1.0)), 0, 255).astype(np.uint8))
