"""A target on paper, at its true size: a PDF of one page with a ruler to check the printer by.

PDF measures in points, 1/72 inch. The board is a picture of whole modules, scaled to its size; nothing depends on the
printer's resolution. Print it at 100 %, "actual size", and measure both the ruler and a square.
"""

from __future__ import annotations

import zlib

import numpy as np

from genlock.targets import Target, draw_target

__all__ = ["target_pdf"]

_POINTS_PER_M = 72 / 0.0254
_MARGIN_M = 0.02
_RULER_M = 0.1


def target_pdf(target: Target, square_px: int = 120) -> bytes:
    """One page, as large as the target and its margin; larger than A4 needs a larger printer."""
    image = draw_target(target, square_px)
    width_m, height_m = target.size_m
    page_w, page_h = (width_m + 2 * _MARGIN_M) * _POINTS_PER_M, (height_m + 3 * _MARGIN_M) * _POINTS_PER_M
    margin = _MARGIN_M * _POINTS_PER_M
    board_w, board_h = width_m * _POINTS_PER_M, height_m * _POINTS_PER_M
    content = f"q {board_w:.4f} 0 0 {board_h:.4f} {margin:.4f} {2 * margin:.4f} cm /Board Do Q\n{_ruler(margin)}"
    label = f"{target}   the ruler is 100 mm; print at 100 %, then measure a square".replace("(", "").replace(")", "")
    content += f"BT /F1 7 Tf {margin:.2f} {0.35 * margin:.2f} Td ({label}) Tj ET"
    pixels = zlib.compress(np.ascontiguousarray(image).tobytes(), 9)
    stream = content.encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page_w:.4f} {page_h:.4f}] /Contents 4 0 R "
        "/Resources << /XObject << /Board 5 0 R >> /Font << /F1 6 0 R >> >> >>".encode(),
        f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        f"<< /Type /XObject /Subtype /Image /Width {image.shape[1]} /Height {image.shape[0]} /ColorSpace /DeviceGray "
        f"/BitsPerComponent 8 /Filter /FlateDecode /Length {len(pixels)} >>\nstream\n".encode()
        + pixels
        + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _file(objects)


def _ruler(margin: float) -> str:
    """Ten centimetres with a tick a centimetre, below the board."""
    y = margin
    ticks = [f"{margin:.4f} {y:.4f} m {margin + _RULER_M * _POINTS_PER_M:.4f} {y:.4f} l S"]
    for centimetre in range(11):
        x = margin + centimetre * 0.01 * _POINTS_PER_M
        ticks.append(f"{x:.4f} {y:.4f} m {x:.4f} {y + (8 if centimetre % 5 == 0 else 5)} l S")
    return "0.5 w\n" + "\n".join(ticks) + "\n"


def _file(objects: list[bytes]) -> bytes:
    out, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    count = len(objects) + 1
    trailer = f"xref\n0 {count}\n0000000000 65535 f \n{table}trailer\n<< /Size {count} /Root 1 0 R >>\n"
    return out + f"{trailer}startxref\n{len(out)}\n%%EOF\n".encode()
