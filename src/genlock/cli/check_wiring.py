"""``genlock check-wiring``: which cable or role is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from genlock.cli.interrupt import cancellation
from genlock.cli.options import Json, RigPath
from genlock.cli.outcome import DONE, INTERRUPTED, UNWORKABLE, Outcome, show_findings
from genlock.cli.progress import shown_progress
from genlock.cli.simulation import AS_USUAL, BackendName, Circumstances, backend_options

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["check_wiring"]


def check_wiring(
    rig: RigPath,
    /,
    *,
    backend: BackendName,
    circumstances: Circumstances = AS_USUAL,
    json: Json = False,
) -> Outcome:
    """Try every subordinate together with the master, master last, and say which cable or role is wrong.

    Takes some seconds a device, ten for one that no pulse reaches. Exit status 1 when a cable does not work.

    Example: genlock check-wiring studio.toml --backend sim
    """
    from genlock.devices import open_backend
    from genlock.errors import UnworkablePlanError
    from genlock.findings import errors_in
    from genlock.plan import make_plan
    from genlock.rig import load_rig
    from genlock.workflows.check_wiring import CableState, check_wiring

    loaded = load_rig(rig)
    plan = make_plan(loaded)
    if plan.has_errors:
        raise UnworkablePlanError(errors_in(plan.findings))
    options = backend_options(backend, loaded, circumstances)
    with (
        cancellation() as is_cancelled,
        shown_progress(is_quiet=json) as progress,
        open_backend(backend, loaded, **options) as opened,
    ):
        result = check_wiring(loaded, plan, opened, progress=progress, is_cancelled=is_cancelled)
        was_cancelled = is_cancelled()

    def show(console: Console) -> None:
        for test in result.tests:
            mark = "ok" if test.state is CableState.WORKS else test.state.value.replace("_", " ").upper()
            console.print(f"{test.serial}  {mark}: {test.message}", markup=False, highlight=False, soft_wrap=True)
        show_findings(console, result.findings)

    is_wrong = any(test.state is not CableState.WORKS for test in result.tests) or errors_in(result.findings)
    status = INTERRUPTED if was_cancelled else UNWORKABLE if is_wrong else DONE
    return Outcome(status, result.to_json(), show)
