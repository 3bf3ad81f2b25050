"""``genlock sim``: the virtual rig itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cyclopts

from genlock.cli.options import Json
from genlock.cli.outcome import DONE, Outcome

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["app"]

app = cyclopts.App(name="sim", help="The virtual rig itself: what can go wrong in it.")


@app.command
def faults(*, json: Json = False) -> Outcome:
    """List the faults that the virtual rig knows. Times in them are seconds after the rig's first pulse.

    Example: genlock sim faults
    """
    from genlock.devices.scenario import FAULT_KINDS

    content = {
        "format_version": 1,
        "form": "KIND[@START[-END]s][:SERIAL][=AMOUNT]",
        "faults": [
            {
                "kind": kind.value,
                "summary": traits.summary,
                "has_serial": traits.has_serial,
                "amount_meaning": traits.amount_meaning or None,
                "default_amount": traits.default_amount,
            }
            for kind, traits in FAULT_KINDS.items()
        ],
    }

    def show(console: Console) -> None:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("kind", "what happens", "amount"):
            table.add_column(heading, overflow="fold")
        for kind, traits in FAULT_KINDS.items():
            default = "" if traits.default_amount is None else f" (default {traits.default_amount:g})"
            table.add_row(
                kind.value, traits.summary, f"{traits.amount_meaning}{default}" if traits.amount_meaning else ""
            )
        console.print(table)
        console.print("\nWrite one as KIND[@START[-END]s][:SERIAL][=AMOUNT]:", markup=False, highlight=False)
        console.print("  genlock demo --seconds 6 --fault cable_pulled@3s:000000000002", markup=False, highlight=False)

    return Outcome(DONE, content, show)
