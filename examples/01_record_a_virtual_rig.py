"""Load a rig, plan it, run it on the virtual rig, and look at every capture set."""

from pathlib import Path

from genlock import Session, load_rig, make_plan, open_backend, to_rgb

rig = load_rig(Path(__file__).with_name("studio.toml"))
plan = make_plan(rig)
with open_backend("sim", rig) as backend, Session(plan, backend, duration_sec=0.5) as session:
    for capture_set in session:
        for serial, capture in capture_set.captures.items():
            depth_mm = capture.depth.pixels  # (576, 640) uint16, 0 = no reading
            rgb = to_rgb(capture.color)  # (1080, 1920, 3) uint8
            print(capture_set.reference_usec, serial, capture.color.device_timestamp_usec, depth_mm.max(), rgb.shape)
