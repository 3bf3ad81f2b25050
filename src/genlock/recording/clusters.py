"""Clusters: how samples of a few milliseconds become the bytes of one Matroska cluster.

A block keeps its time as 16 signed bits relative to its cluster, in ticks of 1 us: a cluster spans at most 32 ms.
Images and genlock's stamps are SimpleBlocks. Inertial samples that follow each other are laced into one BlockGroup,
whose time is the first sample's and whose duration reaches to one tick past the last, as libk4arecord does it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from genlock.capture import ImuSample
from genlock.recording import ids
from genlock.recording.ebml import crc_element, element, element_head, encode_size, uint_element

__all__ = ["CLUSTER_USEC", "IMU_SAMPLE", "Cluster", "Sample", "encode_cluster", "encode_imu_sample"]

CLUSTER_USEC = 32_000
"""The longest cluster: 16 signed bits of microseconds reach to 32.767 ms."""

IMU_SAMPLE = struct.Struct("<Q3fQ3f")
"""Accelerometer time (ns of device time, not relative to the file), acceleration in m/s^2, the same for the gyro."""

_MAX_LACED = 256
_KEY_FRAME = 0x80
_FIXED_SIZE_LACING = 0x04

Payload = bytes | memoryview


class Sample(NamedTuple):
    """Something with a time that goes into one block."""

    usec: int
    """Device time."""
    order: int
    """Breaks ties: the order in which samples were given."""
    track_number: int
    payload: Payload
    is_imu: bool = False
    lacing_flags: int = 0
    """Of a payload that is already laced: it then becomes a BlockGroup as it is."""
    duration_usec: int = 0
    """Of a payload that is already laced."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster ready to be written."""

    parts: tuple[Payload, ...]
    """Its bytes, in pieces; the images' own arrays are among them."""
    size_bytes: int
    content_crc: int
    """CRC-32 of what follows its CRC-32 element."""
    first_usec: int
    last_usec: int
    """Device times of its first and its last sample."""


def encode_imu_sample(sample: ImuSample) -> bytes:
    """40 bytes."""
    return IMU_SAMPLE.pack(
        sample.acc_timestamp_usec * 1000,
        *sample.acc_m_per_s2,
        sample.gyro_timestamp_usec * 1000,
        *sample.gyro_rad_per_s,
    )


def encode_cluster(samples: Sequence[Sample], start_offset_usec: int) -> Cluster:
    """Builds the cluster of samples that are sorted by time and lie within ``CLUSTER_USEC``.

    Its id is ``UNFINISHED_CLUSTER``: whoever has written it whole makes it a cluster.

    Args:
        samples: at least one.
        start_offset_usec: device time of block time 0.
    """
    first_usec = samples[0].usec
    parts: list[Payload] = [uint_element(ids.TIMECODE, first_usec - start_offset_usec)]
    for is_imu, run in groupby(samples, key=lambda sample: sample.is_imu):
        run_samples = list(run)
        if is_imu:
            laces = (run_samples[begin : begin + _MAX_LACED] for begin in range(0, len(run_samples), _MAX_LACED))
            parts.extend(_imu_group(lace, first_usec) for lace in laces)
        else:
            for sample in run_samples:
                if sample.lacing_flags:
                    parts.append(_laced_group(sample, first_usec))
                    continue
                head = _block_head(sample, first_usec, _KEY_FRAME)
                parts += (element_head(ids.SIMPLE_BLOCK, len(head) + len(sample.payload)) + head, sample.payload)
    crc = 0
    content_bytes = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
        content_bytes += len(part)
    crc_head = crc_element(crc)
    head = element_head(ids.UNFINISHED_CLUSTER, len(crc_head) + content_bytes, 8) + crc_head
    return Cluster((head, *parts), len(head) + content_bytes, crc, first_usec, samples[-1].usec)


def _block_head(sample: Sample, cluster_usec: int, flags: int) -> bytes:
    return encode_size(sample.track_number) + struct.pack(">hB", sample.usec - cluster_usec, flags)


def _imu_group(samples: Sequence[Sample], cluster_usec: int) -> bytes:
    first = samples[0]
    lacing = bytes([len(samples) - 1]) if len(samples) > 1 else b""
    head = _block_head(first, cluster_usec, _FIXED_SIZE_LACING if lacing else 0) + lacing
    payload = b"".join(bytes(sample.payload) for sample in samples)
    return _block_group(head + payload, samples[-1].usec - first.usec + 1)


def _laced_group(sample: Sample, cluster_usec: int) -> bytes:
    return _block_group(_block_head(sample, cluster_usec, sample.lacing_flags) + sample.payload, sample.duration_usec)


def _block_group(block: bytes, duration_usec: int) -> bytes:
    return element(ids.BLOCK_GROUP, element(ids.BLOCK, block), uint_element(ids.BLOCK_DURATION, duration_usec))
