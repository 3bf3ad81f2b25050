"""The GENLOCK_STAMPS track: what the K4A format leaves out of a capture, in a record of 72 bytes.

A custom track by the SDK's own rules, so that its playback lists it and hands out its blocks; one block a capture, at
the time of the capture's earliest image. All little-endian:

====== ====== =====================================================================================
offset type   content
====== ====== =====================================================================================
0      u8     version, 1
1      u8     images that the capture has: bit 0 color, bit 1 depth, bit 2 IR
2      u16    0
4      u32    capture index: counts the captures that the device delivered, from 0
8      i64    color device time, us; -1 without a color image
16     i64    depth device time, us; -1 without
24     i64    IR device time, us; -1 without
32     i64    color arrival on the host's monotonic clock, ns; 0 where unknown
40     i64    depth arrival
48     i64    IR arrival
56     u32    color exposure, us; 0 where unknown
60     u32    white balance, K; 0 where unknown
64     u32    ISO speed; 0 where unknown
68     f32    sensor temperature, degrees Celsius; NaN where unknown
====== ====== =====================================================================================

A later version may append fields; a reader takes those that it knows.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from genlock.capture import Capture, Image

__all__ = ["STAMP_RECORD", "StampRecords", "decode_stamp_records", "encode_stamp_record", "find_records"]

_VERSION = 1
_RECORD = struct.Struct("<BBHI6q3If")

STAMP_RECORD = np.dtype(
    [
        ("version", "u1"),
        ("images", "u1"),
        ("reserved", "<u2"),
        ("index", "<u4"),
        ("color_usec", "<i8"),
        ("depth_usec", "<i8"),
        ("ir_usec", "<i8"),
        ("color_arrival_nsec", "<i8"),
        ("depth_arrival_nsec", "<i8"),
        ("ir_arrival_nsec", "<i8"),
        ("exposure_usec", "<u4"),
        ("white_balance_k", "<u4"),
        ("iso_speed", "<u4"),
        ("temperature_c", "<f4"),
    ]
)
"""The record as numpy sees it."""

StampRecords = NDArray[np.void]  # (N,) STAMP_RECORD


def encode_stamp_record(capture: Capture) -> bytes:
    """The record of one capture."""
    color = capture.color
    images = (color, capture.depth, capture.ir)
    return _RECORD.pack(
        _VERSION,
        sum(1 << bit for bit, image in enumerate(images) if image is not None),
        0,
        capture.index & 0xFFFFFFFF,
        *(_device_usec(image) for image in images),
        *(image.system_timestamp_nsec if image is not None else 0 for image in images),
        color.exposure_usec if color is not None else 0,
        color.white_balance_k if color is not None else 0,
        color.iso_speed if color is not None else 0,
        capture.temperature_c,
    )


def _device_usec(image: Image | None) -> int:
    return -1 if image is None else image.device_timestamp_usec


def decode_stamp_records(records: bytes | bytearray) -> StampRecords:
    """The records that stand one after the other; those of version 0 are none and are left out."""
    found = np.frombuffer(records, STAMP_RECORD)
    return found[found["version"] >= _VERSION]


def find_records(records: StampRecords, image: str, images_usec: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) for each image the number of the record that speaks of it, by its device time; -1 where none does.

    Args:
        records: of the whole recording.
        image: ``color``, ``depth`` or ``ir``.
        images_usec: (n,) device times of these images.
    """
    if len(records) == 0:
        return np.full(len(images_usec), -1, np.int64)
    recorded = records[f"{image}_usec"]
    order = np.argsort(recorded, kind="stable")
    found = order[np.minimum(np.searchsorted(recorded, images_usec, sorter=order), len(recorded) - 1)]
    return np.where(recorded[found] == images_usec, found, -1)
