"""Color formats: known values, round trips, damaged bytes."""

import numpy as np
import pytest

from genlock.capture import Image
from genlock.k4a import ImageFormat, image_bytes
from genlock.pixels import encode_color, encode_jpeg, to_rgb

WIDTH_PX, HEIGHT_PX = 64, 32
FORMATS = [ImageFormat.MJPG, ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32]


def image_of(pixels, image_format, width_px=WIDTH_PX, height_px=HEIGHT_PX):
    return Image(image_format, width_px, height_px, pixels, device_timestamp_usec=0, system_timestamp_nsec=0)


def plain(red, green, blue):
    return np.full((HEIGHT_PX, WIDTH_PX, 3), (red, green, blue), dtype=np.uint8)


def smooth():
    """A picture without edges, which chroma subsampling and JPEG keep."""
    v, u = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    return np.stack([40 + 2 * u, 200 - 3 * v, 60 + u + v], axis=2).astype(np.uint8)


@pytest.mark.parametrize("image_format", FORMATS)
def test_encoding_and_decoding_gives_the_picture_back(image_format):
    rgb = smooth()
    again = to_rgb(image_of(encode_color(rgb, image_format), image_format))
    # BGRA loses nothing. YUV: one step of 1/219 in Y and of 1/224 in U and V make up to 2.0 * 1.15 + 0.6 = 3, and two
    # pixels that share a color differ by 2 themselves. JPEG at quality 90: a quantiser step of 3 on the lowest waves.
    bound = {ImageFormat.BGRA32: 0, ImageFormat.NV12: 5, ImageFormat.YUY2: 5, ImageFormat.MJPG: 8}[image_format]
    assert again.dtype == np.uint8 and again.shape == rgb.shape
    assert np.abs(again.astype(int) - rgb).max() <= bound


@pytest.mark.parametrize("image_format", FORMATS)
def test_encoded_images_have_the_size_of_their_format(image_format):
    pixels = encode_color(smooth(), image_format)
    expected = image_bytes(image_format, WIDTH_PX, HEIGHT_PX)
    assert pixels.dtype == np.uint8
    assert pixels.nbytes == expected or (expected is None and pixels.ndim == 1)


@pytest.mark.parametrize(
    ("rgb", "yuv"),
    [
        # BT.601, video range: the corners of the color cube.
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81, 90, 240)),
        ((0, 255, 0), (145, 54, 34)),
        ((0, 0, 255), (41, 240, 110)),
    ],
)
def test_yuv_is_bt601_in_video_range(rgb, yuv):
    y, u, v = yuv
    nv12 = encode_color(plain(*rgb), ImageFormat.NV12)
    assert (nv12[:HEIGHT_PX] == y).all()
    assert (nv12[HEIGHT_PX:, 0::2] == u).all() and (nv12[HEIGHT_PX:, 1::2] == v).all()
    yuy2 = encode_color(plain(*rgb), ImageFormat.YUY2)
    assert yuy2[0, :4].tolist() == [y, u, y, v]


def test_bgra_is_blue_first_and_opaque():
    assert encode_color(plain(1, 2, 3), ImageFormat.BGRA32)[0, 0].tolist() == [3, 2, 1, 255]


def test_flat_buffers_are_taken_as_well_as_shaped_ones():
    # A file gives rows of bytes without a shape.
    for image_format in (ImageFormat.NV12, ImageFormat.YUY2, ImageFormat.BGRA32):
        pixels = encode_color(smooth(), image_format)
        flat, shaped = image_of(pixels.ravel(), image_format), image_of(pixels, image_format)
        assert np.array_equal(to_rgb(flat), to_rgb(shaped))


def test_higher_quality_makes_larger_and_truer_jpegs():
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    low, high = encode_jpeg(rgb, quality=50), encode_jpeg(rgb, quality=95)
    assert len(low) < len(high)


def test_a_depth_image_is_no_color_image():
    depth = image_of(np.zeros((HEIGHT_PX, WIDTH_PX), np.uint16), ImageFormat.DEPTH16)
    with pytest.raises(ValueError, match="DEPTH16"):
        to_rgb(depth)
    with pytest.raises(ValueError, match="IR16"):
        encode_color(smooth(), ImageFormat.IR16)


def test_a_jpeg_of_another_size_is_refused():
    with pytest.raises(ValueError, match="64x32"):
        to_rgb(image_of(encode_jpeg(smooth()), ImageFormat.MJPG, width_px=1280, height_px=720))


@pytest.mark.parametrize("data", [b"", b"no jpeg at all"])
def test_bytes_that_are_no_jpeg_are_refused(data):
    with pytest.raises(ValueError, match=r"JPEG|jpeg|Not a JPEG|decode"):
        to_rgb(image_of(np.frombuffer(data, np.uint8), ImageFormat.MJPG))
