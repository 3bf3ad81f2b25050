"""A target on paper, at its true size: a PDF of one page with a ruler to check the printer by.

PDF measures in points, 1/72 inch. The board is drawn as rectangles, so that every edge lies where it belongs, whatever
the sizes and the printer's resolution. Print it at 100 %, "actual size", and measure both the ruler and a square.
"""

from __future__ import annotations

import numpy as np

from genlock.targets import Target, TargetCells, TargetKind, target_cells

__all__ = ["target_pdf"]

_POINTS_PER_M = 72 / 0.0254
_MARGIN_M = 0.02
_RULER_M = 0.1


def target_pdf(target: Target) -> bytes:
    """One page, as large as the target and its margin; larger than A4 needs a larger printer."""
    width_m, height_m = target.size_m
    page_w, page_h = (width_m + 2 * _MARGIN_M) * _POINTS_PER_M, (height_m + 3 * _MARGIN_M) * _POINTS_PER_M
    margin = _MARGIN_M * _POINTS_PER_M
    content = _board(target_cells(target), margin, page_h - margin) + _surround(target, margin, page_h - margin)
    content += _ruler(margin)
    label = f"{target}   the ruler is 100 mm; print at 100 %, then measure a square".replace("(", "").replace(")", "")
    content += f"BT /F1 7 Tf {margin:.2f} {0.35 * margin:.2f} Td ({label}) Tj ET"
    stream = content.encode("latin-1")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {page_w:.4f} {page_h:.4f}] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    return _file(objects)


def _board(cells: TargetCells, left: float, top: float) -> str:
    """Black rectangles, those side by side in a row as one; all filled at once, so that no seams show between them."""
    lines = []
    for row, is_white in enumerate(cells.is_white):
        is_black = np.concatenate([[False], ~is_white, [False]]).astype(np.int8)
        begins, ends = (np.nonzero(np.diff(is_black) == step)[0] for step in (1, -1))
        height = (cells.y_m[row + 1] - cells.y_m[row]) * _POINTS_PER_M
        y = top - cells.y_m[row + 1] * _POINTS_PER_M
        for begin, end in zip(begins, ends, strict=True):
            x, width = cells.x_m[begin] * _POINTS_PER_M, (cells.x_m[end] - cells.x_m[begin]) * _POINTS_PER_M
            lines.append(f"{left + x:.4f} {y:.4f} {width:.4f} {height:.4f} re")
    return "\n".join([*lines, "f\n"])


def _surround(target: Target, left: float, top: float) -> str:
    """Black around white markers: the outer ones would run into white paper. Within it no edge is the board's."""
    if not target.is_inverted or target.kind is not TargetKind.GRID:
        return ""
    width, height = (side * _POINTS_PER_M for side in target.size_m)
    wide = min(target.square_m - target.marker_m, _MARGIN_M / 2) * _POINTS_PER_M
    x, y = left - wide, top - height - wide
    whole, hole = (x, y, width + 2 * wide, height + 2 * wide), (left, top - height, width, height)
    # Even-odd: what lies within both is left as it is.
    return "".join(f"{' '.join(f'{value:.4f}' for value in box)} re\n" for box in (whole, hole)) + "f*\n"


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
