"""What a few pictures of each device show: covered lenses, cameras that were knocked, images that are too dark.

Stamps say nothing of these. So some samples, spread evenly over the take, are looked at, small and gray. What happens
between two samples is not seen, and how bright a scene is or how near its walls are is nobody's fault: everything is
judged against the same device's other samples, or against the other devices' of the same take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genlock.findings import Finding, Severity

__all__ = ["PictureSample", "check_pictures"]

_BLACK = 12.0
"""Mean gray value of 255 below which a color image shows nothing, if it is even too."""
_EVEN = 6.0
"""Standard deviation of the gray values of an image that shows nothing."""
_NO_DEPTH_RATIO = 0.01
"""Share of pixels with depth below which a depth image shows nothing."""
_DARK_RATIO = 0.35
"""A device whose light is below this share of the others' is dark; views of one room differ by less than a factor of
two, and the dark images of SDK issues #1511 and #1912 by ten."""

_GRID = (4, 4)
"""Blocks, down and across, that are compared by themselves: whoever walks through covers some of them."""
_TEXTURE = 2.0
"""Root mean square of a block's gradients, in gray values a pixel, from which on it has something to hold on to."""
_LEAST_BLOCKS = 3
_ALIKE = 0.45
"""Correlation of the gradients of a block that stands still, at least: noise and compression take the rest."""
_MOVED_RATIO = 0.5
"""How much of the usual correlation is left, at most, when the camera has moved: by a pixel or two, nearly nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureSample:
    """One capture, looked at."""

    usec: int
    """Its device time."""
    gray: NDArray[np.float32] | None
    """(h, w) 0 to 255: the color image, small, or the infrared one where there is no color."""
    is_color: bool
    depth_ratio: float | None
    """Share of the pixels that have depth; ``None`` without a depth image."""
    exposure_usec: int = 0
    """As the device reported it; 0 where unknown."""

    @property
    def is_blind(self) -> bool:
        """Whether it shows nothing at all."""
        has_depth = self.depth_ratio is not None and self.depth_ratio > _NO_DEPTH_RATIO
        if self.gray is None:
            return self.depth_ratio is not None and not has_depth
        is_black = float(self.gray.mean()) < _BLACK and float(self.gray.std()) < _EVEN
        return is_black and not has_depth

    @property
    def light(self) -> float | None:
        """Linear light in its color image, for each microsecond of exposure where that is known."""
        if self.gray is None or not self.is_color:
            return None
        linear = float(np.mean((self.gray / 255.0) ** 2.2))
        return linear / self.exposure_usec if self.exposure_usec else linear


Pictures = Mapping[str, Sequence[PictureSample]]


def check_pictures(pictures: Pictures) -> Iterator[Finding]:
    """What the samples of a take show, device by device.

    Args:
        pictures: by serial, in order of time.
    """
    can_see = any(not sample.is_blind for samples in pictures.values() for sample in samples)
    if not can_see:
        return  # a dark room, or caps on all lenses: nobody to compare with
    for serial in sorted(pictures):
        samples = pictures[serial]
        where = f"device {serial}"
        yield from _check_covered(where, samples)
        yield from _check_moved(where, [sample for sample in samples if not sample.is_blind])
        others = [sample for other, its in pictures.items() if other != serial for sample in its]
        yield from _check_dark(where, samples, others)


def _check_covered(where: str, samples: Sequence[PictureSample]) -> Iterator[Finding]:
    blind = [sample for sample in samples if sample.is_blind]
    if not blind:
        return
    is_throughout = len(blind) == len(samples)
    at = "in every sample" if is_throughout else f"in {len(blind)} of {len(samples)} samples, {_span(blind)}"
    yield Finding(
        "verify.lens_covered",
        Severity.WARNING,
        where,
        f"its pictures show nothing {at}, while the rig sees otherwise: something covers its cameras, or they are off",
        "Look at the device: a cap, the protective film, a hand, a cloth. What it did not see is lost.",
    )


def _check_moved(where: str, samples: Sequence[PictureSample]) -> Iterator[Finding]:
    """A camera that moved changes all of its picture at once, and for good; what moves in front of it does not."""
    has_color = any(sample.is_color for sample in samples)
    samples = [sample for sample in samples if sample.is_color is has_color and sample.gray is not None]
    gradients = [_gradients(sample.gray) for sample in samples if sample.gray is not None]
    if len(gradients) < 3 or len({gradient[0].shape for gradient in gradients}) > 1:
        return
    steps = [_likeness(a, b) for a, b in pairwise(gradients)]
    known = [step for step in steps if step is not None]
    usual = float(np.median(known)) if known else 0.0
    if usual < _ALIKE:
        return  # too dark, too even, or everything moves: nothing to hold on to
    for number, step in enumerate(steps):
        if step is None or step > _MOVED_RATIO * usual:
            continue
        # Whoever stands before the camera for one sample is gone in the next: then the picture is back.
        across = []
        if number > 0:
            across.append(_likeness(gradients[number - 1], gradients[number + 1]))
        if number + 2 < len(gradients):
            across.append(_likeness(gradients[number], gradients[number + 2]))
        if all(other is not None and other <= _MOVED_RATIO * usual for other in across):
            before, after = samples[number], samples[number + 1]
            yield Finding(
                "verify.camera_moved",
                Severity.WARNING,
                where,
                f"its whole picture changes between {before.usec / 1e6:.1f} and {after.usec / 1e6:.1f} s and stays "
                f"changed: what stands still agrees by {100 * step:.0f} %, otherwise by {100 * usual:.0f} %",
                "Somebody has moved the camera: its extrinsics hold on one side of that moment only. Fix it well and "
                "calibrate again.",
            )
            return


def _check_dark(where: str, samples: Sequence[PictureSample], others: Sequence[PictureSample]) -> Iterator[Finding]:
    own = [(s, s.light) for s in samples if s.light is not None and not s.is_blind]
    lights = [s.light for s in others if s.light is not None and not s.is_blind]
    if not own or len({bool(s.exposure_usec) for s in (*samples, *others) if s.light is not None}) > 1:
        return
    levels = np.array([light for _, light in own])
    if lights:
        usual = float(np.median(lights))
        dark = [sample for sample, light in own if light is not None and light < _DARK_RATIO * usual]
        if 2 * len(dark) > len(own):
            yield _dark(where, float(np.median(levels)) / usual, "of the other devices'", None)
            return
    usual = float(np.max(levels))
    dark = [sample for sample, light in own if light is not None and light < _DARK_RATIO * usual]
    if len(dark) >= 2:
        yield _dark(where, min(light for _, light in own if light is not None) / usual, "of its own", dark)


def _dark(where: str, ratio: float, of_what: str, dark: Sequence[PictureSample] | None) -> Finding:
    at = "" if dark is None else f", {_span(dark)}"
    return Finding(
        "verify.dark_pictures",
        Severity.WARNING,
        where,
        f"its color images have {100 * ratio:.0f} % {of_what} light for their exposure{at}; its depth sees as before",
        "Let exposure be automatic for a moment before it is set by hand (--warm-up): some devices give dark images "
        "otherwise (SDK issues #1511, #1912). Check gain and brightness.",
    )


def _span(samples: Sequence[PictureSample]) -> str:
    first, last = samples[0].usec / 1e6, samples[-1].usec / 1e6
    return f"at {first:.1f} s" if len(samples) == 1 else f"from {first:.1f} to {last:.1f} s"


def _gradients(gray: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Changes down and across, from neighbours of neighbours, so that a pixel's noise counts less."""
    return gray[2:, 1:-1] - gray[:-2, 1:-1], gray[1:-1, 2:] - gray[1:-1, :-2]


def _likeness(
    a: tuple[NDArray[np.float32], NDArray[np.float32]], b: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> float | None:
    """How well the gradients of two pictures agree in the middling block; ``None`` where too few have any."""
    sums = [
        _block_sums(a[0] * b[0] + a[1] * b[1]),
        _block_sums(a[0] ** 2 + a[1] ** 2),
        _block_sums(b[0] ** 2 + b[1] ** 2),
    ]
    cross, own, other = sums
    pixels = a[0].size / (_GRID[0] * _GRID[1])
    has_texture = (own > pixels * _TEXTURE**2) & (other > pixels * _TEXTURE**2)
    if has_texture.sum() < _LEAST_BLOCKS:
        return None
    return float(np.median(cross[has_texture] / np.sqrt(own[has_texture] * other[has_texture])))


def _block_sums(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(16,) the sum of each block."""
    rows = np.array_split(values, _GRID[0])
    return np.array([block.sum() for row in rows for block in np.array_split(row, _GRID[1], axis=1)])
