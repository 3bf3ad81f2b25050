"""Statistics of a stream that never ends, in constant memory: each value counts less the older it is."""

from __future__ import annotations

import math

__all__ = ["ForgettingLine", "ForgettingMean"]


class ForgettingMean:
    """A mean over roughly the last ``length`` values; exact over all of them while there are fewer."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._count = 0.0
        self.value = 0.0

    def add(self, value: float) -> None:
        """Takes the next value."""
        self._count = min(self._count + 1, self._length)
        self.value += (value - self.value) / self._count


class ForgettingLine:
    """A straight line through points whose weight halves every ``half_life_sec``.

    The sums are kept about their own means (West's update), so that they stay exact however long the stream runs.
    """

    def __init__(self, half_life_sec: float) -> None:
        self._rate_per_sec = math.log(2) / half_life_sec
        self._last_sec: float | None = None
        self._weight = 0.0
        self._squared_weight = 0.0
        self._mean_sec = 0.0
        self._spread_sec2 = 0.0
        self._joint = 0.0
        self._spread = 0.0
        self.level = 0.0
        """The weighted mean of the values."""

    def add(self, time_sec: float, value: float) -> None:
        """Takes the next point; times rise."""
        keep = 1.0
        if self._last_sec is not None:
            keep = math.exp(-self._rate_per_sec * max(0.0, time_sec - self._last_sec))
        self._last_sec = time_sec
        self._weight = keep * self._weight + 1
        self._squared_weight = keep * keep * self._squared_weight + 1
        off_sec, off = time_sec - self._mean_sec, value - self.level
        self._mean_sec += off_sec / self._weight
        self.level += off / self._weight
        self._spread_sec2 = keep * self._spread_sec2 + off_sec * (time_sec - self._mean_sec)
        self._joint = keep * self._joint + off_sec * (value - self.level)
        self._spread = keep * self._spread + off * (value - self.level)

    @property
    def slope(self) -> float | None:
        """Value a second; ``None`` while all points have one time."""
        return self._joint / self._spread_sec2 if self._spread_sec2 > 0 else None

    @property
    def noise(self) -> float:
        """Root mean square about the line."""
        if self._weight <= 0:
            return 0.0
        explained = self._joint**2 / self._spread_sec2 if self._spread_sec2 > 0 else 0.0
        return math.sqrt(max(0.0, self._spread - explained) / self._weight)

    @property
    def slope_error(self) -> float | None:
        """One sigma of the slope, as if the points were independent."""
        if self._spread_sec2 <= 0:
            return None
        # The variance is noise^2 sum(w^2 t^2) / sum(w t^2)^2: noise^2 / spread for equal weights, a quarter of that
        # once they fall exponentially, when sum(w^2) / sum(w) has come down to one half. In between its square is near.
        return self.noise * self._squared_weight / self._weight / math.sqrt(self._spread_sec2)
