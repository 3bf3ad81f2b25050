"""The report as one page that opens anywhere: verdict, a row a camera, where corners were seen, what is left over."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from genlock.calibrate.report import CalibrationReport
from genlock.calibrate.solve import Solved

__all__ = ["report_html"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%}th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid #ddd}
th:first-child,td:first-child{text-align:left}.accepted{color:#0a7a3d}.rejected{color:#b3261e}.not_judged{color:#8a6d00}
.cameras{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0}figcaption{font-size:13px;color:#555}
li.error{color:#b3261e}li.warning{color:#8a6d00}small{color:#555}
"""
_WIDTH_PX = 320
_MOST_DOTS = 1500
_ARROW_SCALE = 30.0
_ARROWS = 250


def report_html(report: CalibrationReport, solved: Solved | None) -> str:
    """A self-contained page."""
    verdict = report.verdict.value
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>genlock calibration</title>",
        f"<style>{_STYLE}</style><h1>Calibration <span class={verdict}>{verdict.replace('_', ' ').upper()}</span></h1>",
        f"<p>{escape(str(report.target))}, {report.sets_used} sets used.",
    ]
    if report.extrinsics is not None:
        parts.append(f" World: {escape(report.extrinsics.world)}.")
    if report.held_out_rms_px is not None:
        parts.append(
            f"</p><p>On sets that it had not seen: <b>{report.held_out_rms_px:.3f} px</b>, "
            f"<b>{report.held_out_mm:.2f} mm</b> at the board; neighbouring corners off by "
            f"<b>{report.edge_rms_mm:.2f} mm</b>, corners off the rigid board by <b>{report.rigid_rms_mm:.2f} mm</b> "
            "(all RMS)."
        )
    bounds = report.bounds
    parts += [
        "</p>",
        _table(report),
        f"<p><small>Accepted are held-out and rigid errors up to {bounds.held_out_mm:g} mm, poses known to "
        f"{bounds.sigma_mm:g} mm and {bounds.sigma_deg:g}&deg; (one sigma, beside the camera that holds the frame). "
        "Held out: corners triangulated by poses that they had no part in. Fitted: the rigid board by the final poses, "
        "not judged. Coverage: share of the image in which corners were seen.</small></p><h2>Findings</h2><ul>",
    ]
    for finding in report.findings:
        remedy = f" <small>{escape(finding.remedy)}</small>" if finding.remedy else ""
        parts.append(
            f"<li class={finding.severity.value}>{escape(finding.where)}: {escape(finding.message)} "
            f"<code>{finding.code}</code>{remedy}</li>"
        )
    parts.append("</ul>" if report.findings else "<li>none</li></ul>")
    parts.append(_left_out(report))
    if solved is not None:
        parts.append(
            "<h2>Where corners were seen, and what is left over</h2><p><small>A dot a corner; a line from it shows its "
            f"residual, {_ARROW_SCALE:g} times as long. Lines should point anywhere; a common direction is an error of "
            "a lens or a clock.</small></p><div class=cameras>"
        )
        placed = solved.solution.cameras
        parts += [_picture(solved, row.camera) for row in report.cameras if row.camera in placed]
        parts.append("</div>")
    return "".join(parts) + "</html>\n"


def _table(report: CalibrationReport) -> str:
    head = "camera|views|corners|held out, px|fitted, px|sigma, mm|sigma, deg|coverage|left out|depth bias, mm".split(
        "|"
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for cells in (
            (
                row.camera,
                str(row.views),
                str(row.corners),
                _number(row.held_out_rms_px, ".3f"),
                _number(row.training_rms_px, ".3f"),
                "holds the frame" if row.holds_frame else _number(row.sigma_mm, ".2f"),
                "" if row.holds_frame else _number(row.sigma_deg, ".3f"),
                f"{row.coverage_ratio:.0%}",
                str(row.rejected_views),
                _number(row.depth_bias_mm, "+.1f"),
            )
            for row in report.cameras
        )
    )
    return f"<table><tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>{rows}</table>"


def _left_out(report: CalibrationReport) -> str:
    """Every image and view that had no part in the result, and why."""
    if not report.rejected:
        return ""
    rows = "".join(
        f"<tr><td>{escape(camera)}</td><td>{number}</td><td>{escape(reason)}</td></tr>"
        for camera, number, reason in report.rejected
    )
    return (
        f"<details><summary>{len(report.rejected)} images were left out</summary>"
        f"<table><tr><th>camera</th><th>set</th><th>why</th></tr>{rows}</table></details>"
    )


def _number(value: float | None, how: str) -> str:
    return "–" if value is None else format(value, how)


def _picture(solved: Solved, camera: str) -> str:
    model = solved.observations.cameras[camera]
    height_px = round(_WIDTH_PX * model.height_px / model.width_px)
    return (
        f'<figure><svg width={_WIDTH_PX} height={height_px} viewBox="0 0 {model.width_px} {model.height_px}">'
        '<rect width="100%" height="100%" fill="#f4f4f4"/>'
        f"{''.join(_marks(solved, camera))}</svg><figcaption>{escape(camera)}</figcaption></figure>"
    )


def _marks(solved: Solved, camera: str) -> Iterator[str]:
    used = solved.observations
    numbers = [i for i, view in enumerate(used.views) if view.camera == camera]
    rows = np.nonzero(np.isin(used.view_of_corner, numbers))[0]
    size = used.cameras[camera].width_px / 400
    for row in rows[:: max(1, len(rows) // _MOST_DOTS)]:
        u, v = used.px[row]
        yield f'<circle cx="{u:.0f}" cy="{v:.0f}" r="{size:.1f}" fill="#3366aa"/>'
    for row in rows[:: max(1, len(rows) // _ARROWS)]:
        (u, v), (du, dv) = used.px[row], solved.residuals[row] * _ARROW_SCALE
        line = f'x1="{u:.0f}" y1="{v:.0f}" x2="{u + du:.0f}" y2="{v + dv:.0f}"'
        yield f'<line {line} stroke="#d55e00" stroke-width="{size:.1f}"/>'
