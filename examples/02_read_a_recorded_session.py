"""The same loop over a recorded session, whose folder is the argument."""

import sys
from pathlib import Path

from genlock import RecordedSession, to_rgb

if len(sys.argv) != 2:
    sys.exit("usage: python 02_read_a_recorded_session.py TAKE (a folder that `genlock record` or `genlock demo` made)")
with RecordedSession(Path(sys.argv[1])) as session:
    for capture_set in session:
        for serial, capture in capture_set.captures.items():
            if capture.color is None or capture.depth is None:
                continue  # lost on its way, or switched off
            depth_mm = capture.depth.pixels  # (576, 640) uint16, 0 = no reading
            rgb = to_rgb(capture.color)  # (1080, 1920, 3) uint8
            print(capture_set.reference_usec, serial, capture.color.device_timestamp_usec, depth_mm.max(), rgb.shape)
