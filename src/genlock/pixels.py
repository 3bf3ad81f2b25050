"""Bytes to pixels and back, for the four formats of the color camera.

* MJPG: a baseline JPEG (JFIF: BT.601, full range). ``pixels`` are its bytes.
* NV12: 4:2:0, a plane of Y over a plane of interleaved U, V at half size. (H * 3 / 2, W).
* YUY2: 4:2:2, Y0 U Y1 V for every two pixels. (H, W * 2).
* BGRA32: four bytes a pixel. (H, W, 4).

NV12 and YUY2 hold BT.601 in video range (Y 16 to 235), as the SDK's own conversions (libyuv) read them::

    Y = 16 + ( 65.738 R + 129.057 G +  25.064 B) / 256        R = 1.164 (Y - 16)                     + 1.596 (V - 128)
    U = 128 + (-37.945 R -  74.494 G + 112.439 B) / 256       G = 1.164 (Y - 16) - 0.392 (U - 128)   - 0.813 (V - 128)
    V = 128 + (112.439 R -  94.154 G -  18.285 B) / 256       B = 1.164 (Y - 16) + 2.017 (U - 128)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Image
from genlock.k4a import ImageFormat

__all__ = ["RgbImage", "bgra_from_jpeg", "encode_color", "encode_jpeg", "small_gray", "to_rgb"]

RgbImage = NDArray[np.uint8]  # (H, W, 3), red first
Bytes = NDArray[np.uint8]

# 65536ths: the weights of R, G and B in Y, U and V.
_Y_WEIGHTS, _U_WEIGHTS, _V_WEIGHTS = (16829, 33039, 6416), (-9714, -19071, 28785), (28785, -24103, -4682)
_HALF = 1 << 15

_COLOR_FORMATS = (ImageFormat.MJPG, ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32)


def to_rgb(image: Image) -> RgbImage:
    """The color image as (H, W, 3) uint8, red first.

    Raises:
        ValueError: not a color image, or its bytes are damaged.
    """
    height_px, width_px = image.height_px, image.width_px
    match image.image_format:
        case ImageFormat.MJPG:
            rgb = _decode_jpeg(image.pixels)
        case ImageFormat.BGRA32:
            rgb = np.ascontiguousarray(image.pixels.reshape(height_px, width_px, 4)[:, :, 2::-1])
        case ImageFormat.NV12:
            rgb = _rgb_from_nv12(image.pixels.reshape(height_px * 3 // 2, width_px), height_px)
        case ImageFormat.YUY2:
            rgb = _rgb_from_yuy2(image.pixels.reshape(height_px, width_px * 2))
        case _:
            raise ValueError(f"a color image is expected; this one is {image.image_format}")
    if rgb.shape != (height_px, width_px, 3):
        raise ValueError(f"the image should be {width_px}x{height_px}; its bytes are {rgb.shape[1]}x{rgb.shape[0]}")
    return rgb


def small_gray(image: Image, least_width_px: int) -> Bytes:
    """The color image's brightness, (h, w) uint8, a good deal smaller and at least that wide, for a cheap look.

    A JPEG is decoded at a fraction of its size, which costs a fraction of its time.

    Raises:
        ValueError: not a color image, or its bytes are damaged.
    """
    stride = max(1, image.width_px // least_width_px)
    height_px, width_px = image.height_px, image.width_px
    match image.image_format:
        case ImageFormat.MJPG:
            gray = _gray_from_jpeg(image.pixels, least_width_px)
            stride = max(1, gray.shape[1] // least_width_px)
        case ImageFormat.BGRA32:
            gray = image.pixels.reshape(height_px, width_px, 4)[:, :, 1]
        case ImageFormat.NV12:
            gray = image.pixels.reshape(height_px * 3 // 2, width_px)[:height_px]
        case ImageFormat.YUY2:
            gray = image.pixels.reshape(height_px, width_px, 2)[:, :, 0]
        case _:
            raise ValueError(f"a color image is expected; this one is {image.image_format}")
    small = np.ascontiguousarray(gray[::stride, ::stride])
    if image.image_format in (ImageFormat.NV12, ImageFormat.YUY2):  # from video range to full range
        small = ((small.astype(np.int32) - 16) * 298 >> 8).clip(0, 255).astype(np.uint8)
    return small


def encode_jpeg(rgb: RgbImage, quality: int = 90) -> Bytes:
    """The image as the bytes of a JPEG, (N,) uint8, 4:2:2 as the camera makes them."""
    import simplejpeg

    encoded = simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=quality, colorspace="RGB", colorsubsampling="422"
    )
    return np.frombuffer(encoded, dtype=np.uint8)


def encode_color(rgb: RgbImage, image_format: ImageFormat) -> Bytes:
    """The image as ``Image.pixels`` of this color format; width and height must be even."""
    match image_format:
        case ImageFormat.MJPG:
            return encode_jpeg(rgb)
        case ImageFormat.BGRA32:
            bgra = np.empty((*rgb.shape[:2], 4), dtype=np.uint8)
            bgra[:, :, :3] = rgb[:, :, ::-1]
            bgra[:, :, 3] = 255
            return bgra
        case ImageFormat.NV12:
            return _nv12_from_rgb(rgb)
        case ImageFormat.YUY2:
            return _yuy2_from_rgb(rgb)
        case _:
            raise ValueError(f"{image_format} is no color format; use one of {', '.join(_COLOR_FORMATS)}")


def bgra_from_jpeg(data: Bytes) -> Bytes:
    """What the SDK makes of a camera's JPEG when BGRA32 is asked for."""
    import simplejpeg

    bgra: Bytes = simplejpeg.decode_jpeg(data.tobytes(), colorspace="BGRA")
    return bgra


def _decode_jpeg(data: Bytes) -> RgbImage:
    import simplejpeg

    rgb: RgbImage = simplejpeg.decode_jpeg(data.tobytes(), colorspace="RGB")
    return rgb


def _gray_from_jpeg(data: Bytes, least_width_px: int) -> Bytes:
    import simplejpeg

    # Half, a quarter, an eighth: whatever is the smallest that is still wide enough.
    gray: Bytes = simplejpeg.decode_jpeg(data.tobytes(), colorspace="GRAY", fastdct=True, min_width=least_width_px)
    return gray[:, :, 0]


def _weighted(rgb: RgbImage | NDArray[np.int32], weights: tuple[int, int, int], offset: int) -> Bytes:
    """One of Y, U, V from (..., 3)."""
    mixed = np.full(rgb.shape[:-1], (offset << 16) + _HALF, dtype=np.int32)
    for channel, weight in enumerate(weights):
        mixed += rgb[..., channel] * np.int32(weight)
    return (mixed >> 16).astype(np.uint8)


def _nv12_from_rgb(rgb: RgbImage) -> Bytes:
    height_px, width_px = rgb.shape[:2]
    # One color for each 2x2 block: its mean.
    columns = rgb[:, 0::2].astype(np.int32) + rgb[:, 1::2]
    blocks = (columns[0::2] + columns[1::2]) // 4
    out = np.empty((height_px * 3 // 2, width_px), dtype=np.uint8)
    out[:height_px] = _weighted(rgb, _Y_WEIGHTS, 16)
    out[height_px:, 0::2] = _weighted(blocks, _U_WEIGHTS, 128)
    out[height_px:, 1::2] = _weighted(blocks, _V_WEIGHTS, 128)
    return out


def _yuy2_from_rgb(rgb: RgbImage) -> Bytes:
    height_px, width_px = rgb.shape[:2]
    pairs = (rgb[:, 0::2].astype(np.int32) + rgb[:, 1::2]) // 2
    out = np.empty((height_px, width_px * 2), dtype=np.uint8)
    out[:, 0::2] = _weighted(rgb, _Y_WEIGHTS, 16)
    out[:, 1::4] = _weighted(pairs, _U_WEIGHTS, 128)
    out[:, 3::4] = _weighted(pairs, _V_WEIGHTS, 128)
    return out


def _rgb_from_nv12(nv12: Bytes, height_px: int) -> RgbImage:
    chroma = nv12[height_px:].repeat(2, axis=0)
    return _rgb_from_yuv(nv12[:height_px], chroma[:, 0::2], chroma[:, 1::2])


def _rgb_from_yuy2(yuy2: Bytes) -> RgbImage:
    return _rgb_from_yuv(yuy2[:, 0::2], yuy2[:, 1::4], yuy2[:, 3::4])


def _rgb_from_yuv(y: Bytes, u: Bytes, v: Bytes) -> RgbImage:
    """From Y (H, W) and U, V (H, W / 2)."""
    light = (y.astype(np.int32) - 16) * 76309 + _HALF
    blue, red = u.astype(np.int32) - 128, v.astype(np.int32) - 128
    rgb = np.empty((*y.shape, 3), dtype=np.uint8)
    for channel, shift in enumerate((104597 * red, -25675 * blue - 53279 * red, 132201 * blue)):
        rgb[:, :, channel] = ((light + shift.repeat(2, axis=1)) >> 16).clip(0, 255)
    return rgb
