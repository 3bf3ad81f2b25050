"""``genlock interference``: do the lasers disturb each other?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, INTERRUPTED, UNWORKABLE, Outcome, show_findings
from genlock.cli.progress import shown_progress
from genlock.cli.simulation import AS_USUAL, BackendName, Circumstances, backend_options

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["interference"]


def interference(
    rig: RigPath,
    /,
    *,
    backend: BackendName,
    circumstances: Circumstances = AS_USUAL,
    json: Json = False,
) -> Outcome:
    """Measure each laser alone, then every pair together: invalid pixels, temporal noise in mm, against the plan.

    The scene must stand still; the virtual rig shows its empty room. Exit status 1 when lasers that the plan keeps
    apart disturb each other.

    Example: genlock interference studio.toml --backend sim
    """
    from genlock.devices import open_backend
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.rig import load_rig
    from genlock.workflows.interference import measure_interference

    loaded = load_rig(rig)
    plan = make_plan(loaded)
    options = backend_options(backend, loaded, circumstances, is_still=True)
    with (
        cancellation() as is_cancelled,
        shown_progress(is_quiet=json) as progress,
        open_backend(backend, loaded, **options) as opened,
    ):
        result = measure_interference(plan, opened, progress=progress, is_cancelled=is_cancelled)
        was_cancelled = is_cancelled()

    def show(console: Console) -> None:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        table.add_column("lasers")
        for heading in ("gap\nus", "invalid\n%", "noise\nmm"):
            table.add_column(heading, justify="right")
        table.add_column("against the plan")
        for serial, quality in result.alone.items():
            table.add_row(f"{serial} alone", "", f"{100 * quality.invalid_ratio:.2f}", f"{quality.noise_mm:.2f}", "")
        for pair in result.pairs:
            for serial, other, quality in (
                (pair.first, pair.second, pair.first_beside),
                (pair.second, pair.first, pair.second_beside),
            ):
                table.add_row(
                    f"{serial} beside {other}",
                    f"{pair.gap_usec:.1f}",
                    f"{100 * quality.invalid_ratio:.2f}",
                    f"{quality.noise_mm:.2f}",
                    pair.agreement.value.replace("_", " "),
                )
        console.print(table)
        show_findings(console, result.findings)

    status = INTERRUPTED if was_cancelled else UNWORKABLE if errors_in(result.findings) else DONE
    return Outcome(status, result.to_json(), show)
