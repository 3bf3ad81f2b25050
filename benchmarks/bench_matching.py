"""How long matching and judging take: 2 to 10 devices, 10 minutes of stamps at 30 fps.

Run: ``python benchmarks/bench_matching.py``
"""

from __future__ import annotations

import time
from collections.abc import Callable

from genlock.capture import Stamp
from genlock.sync import LIVE_PATIENCE_USEC, Matcher
from genlock.testing.stamps import StampFaults, StampStream, make_rig_stamps
from genlock.testing.takes import session_evidence
from genlock.verify import report_html, verify_take

CAPTURES = 18_000
REPEATS = 3


def seconds(run: Callable[[], object]) -> float:
    """The best of a few runs: what the machine can do, not what else it was doing."""
    best = float("inf")
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def match_live(streams: tuple[StampStream, ...], stamps: list[Stamp], patience_usec: int | None) -> int:
    matcher = Matcher({s.serial: s.config for s in streams}, streams[0].serial, patience_usec)
    sets = sum(len(matcher.add(stamp)) for stamp in stamps)
    return sets + len(matcher.end_all())


def measure(devices: int) -> tuple[float, ...]:
    """A row of the table."""
    streams = make_rig_stamps(devices, CAPTURES, {number: StampFaults(lost_ratio=0.002) for number in range(devices)})
    stamps = [stamp for stream in streams for stamp in stream.stamps()]
    stamps.sort(key=lambda stamp: stamp.color_usec or 0)
    evidence = session_evidence(streams)
    report = verify_take(evidence)
    match_sec = seconds(lambda: match_live(streams, stamps, None))
    return (
        devices,
        len(stamps),
        match_sec,
        1e6 * match_sec / len(stamps),
        seconds(lambda: match_live(streams, stamps, LIVE_PATIENCE_USEC)),
        seconds(lambda: verify_take(evidence)),
        seconds(lambda: report_html(report)),
        len(report_html(report).encode()) / 1e6,
    )


def main() -> None:
    print(f"{CAPTURES} captures a device (10 min at 30 fps), one thread, best of {REPEATS}")
    columns = ("devices", "stamps", "match s", "us/stamp", "live s", "verify s", "html s", "html MB")
    print("".join(f"{column:>10}" for column in columns))
    for devices in (2, 5, 10):
        count, stamps, *numbers = measure(devices)
        print(f"{count:10}{stamps:10}" + "".join(f"{number:10.3f}" for number in numbers))


if __name__ == "__main__":
    main()
