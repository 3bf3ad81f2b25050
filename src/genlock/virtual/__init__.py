"""Programs nobody here wrote, on the virtual rig: a libk4a whose devices are simulated."""

from genlock.virtual.build import build_library, find_compiler, require_linux
from genlock.virtual.place import administer, private_address, served_address, shared_address
from genlock.virtual.program import forwarding, run_program
from genlock.virtual.rig import VirtualRig, serve_rig
from genlock.virtual.server import OpenDevice, RigServer

__all__ = [
    "OpenDevice",
    "RigServer",
    "VirtualRig",
    "administer",
    "build_library",
    "find_compiler",
    "forwarding",
    "private_address",
    "require_linux",
    "run_program",
    "serve_rig",
    "served_address",
    "shared_address",
]
