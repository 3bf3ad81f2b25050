"""The report as Markdown: what a first owner of real cameras sends back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from genlock._version import __version__
from genlock.recording import write_atomically
from genlock.workflows.selftest.claims import CLAIMS
from genlock.workflows.selftest.lab import Answer, Verdict
from genlock.workflows.selftest.run import SelftestResult

__all__ = ["report_markdown", "write_report"]

_HEADINGS = {
    Verdict.DID_NOT_HOLD: "Did not hold",
    Verdict.HELD: "Held",
    Verdict.NOT_TRIED: "Not tried",
}


def report_markdown(result: SelftestResult) -> str:
    """The whole report; what did not hold comes first."""
    return "\n".join(_lines(result)) + "\n"


def write_report(result: SelftestResult, folder: Path) -> tuple[Path, ...]:
    """Writes ``selftest.md`` and ``selftest.json`` into a folder that is there; older ones are replaced."""
    texts = {"selftest.md": report_markdown(result), "selftest.json": json.dumps(result.to_json(), indent=2) + "\n"}
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return tuple(folder / name for name in texts)


def _lines(result: SelftestResult) -> Iterator[str]:
    yield "# genlock selftest"
    yield ""
    if result.is_simulated:
        yield "**SIMULATED: a rehearsal on the virtual rig. It says nothing about real cameras.**"
        yield ""
    counts = {verdict: len(result.with_verdict(verdict)) for verdict in _HEADINGS}
    yield ", ".join(f"{counts[verdict]} {heading.lower()}" for verdict, heading in _HEADINGS.items()) + "."
    if result.was_cancelled:
        yield "It was interrupted."
    yield ""
    yield f"- made: {result.made_at}, genlock {__version__}, backend {result.backend}, rig {result.rig_name}"
    yield f"- host: {result.host}"
    for device in result.devices:
        yield f"- device {device.serial}: color firmware {device.color_firmware}, depth {device.depth_firmware}"
    for verdict, heading in _HEADINGS.items():
        answers = result.with_verdict(verdict)
        if answers:
            yield ""
            yield f"## {heading}"
            for answer in answers:
                yield from _claim(answer)


def _claim(answer: Answer) -> Iterator[str]:
    claim = CLAIMS[answer.claim_id]
    yield ""
    yield f"### `{claim.id}`"
    yield ""
    yield f"Claim: {claim.statement} (source: {claim.source})"
    yield ""
    yield f"Seen: {answer.text}" if answer.verdict is not Verdict.NOT_TRIED else f"Why: {answer.text}"
    if answer.numbers:
        yield ""
        yield from (f"- {name}: {value}" for name, value in answer.numbers.items())
