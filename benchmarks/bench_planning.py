"""How long planning takes: ``make_plan`` with everything that belongs to it, 2 to 64 devices.

Run: ``python benchmarks/bench_planning.py``
"""

from __future__ import annotations

import time
from itertools import combinations

from genlock.plan import Plan, make_plan
from genlock.rig import Rig

REPEATS = 3
DEVICES = (2, 3, 5, 9, 10, 16, 24, 32, 40, 48, 64)


def rig(count: int, overlap: str | list[list[str]], *, mixed: bool = False) -> Rig:
    wide = {"depth_mode": "WFOV_UNBINNED"}
    tables = [{"serial": str(i), **(wide if mixed and i % 3 == 0 else {})} for i in range(count)]
    return Rig.model_validate(
        {
            "device": tables,
            "capture": {"camera_fps": 15 if mixed else 30, "white_balance_k": 4500},
            "wiring": {"topology": "daisy_chain", "master": "0"},
            "plan": {"overlap": overlap},
        }
    )


def ring(count: int, neighbours: int = 2) -> list[list[str]]:
    """Each device sees the same space as so many neighbours on either side."""
    near = {
        frozenset((i, (i + step) % count)) for i in range(count) for step in range(1, neighbours + 1) if count > step
    }
    return [[str(i), str(j)] for i, j in combinations(range(count), 2) if frozenset((i, j)) in near]


def seconds(question: Rig) -> tuple[float, Plan]:
    """The best of a few runs, each from a cold cache of gaps: what a first plan takes."""
    best = float("inf")
    for _ in range(REPEATS):
        forget()
        started = time.perf_counter()
        plan = make_plan(question)
        best = min(best, time.perf_counter() - started)
    return best, plan


def forget() -> None:
    """Empties what the planner remembers from one question to the next."""
    from genlock.plan import search, slot, timing

    for remembered in (slot._gaps, timing._start_differences, timing.pulse_starts_grains, search._bits):
        remembered.cache_clear()


def row(name: str, count: int, question: Rig) -> str:
    taken, plan = seconds(question)
    codes = {finding.code for finding in plan.findings}
    proven = "no" if "plan.delays_not_proven" in codes else "yes"
    guard = "-" if plan.guard_usec is None else f"{plan.guard_usec:.1f}"
    return f"{count:8}  {name:28}{taken * 1000:12.1f}{guard:>12}{proven:>10}"


def main() -> None:
    print(f"make_plan, one thread, best of {REPEATS}, caches emptied")
    print(f"{'devices':>8}  {'rig':28}{'ms':>12}{'guard us':>12}{'proven':>10}")
    for count in DEVICES:
        print(row("one mode, all overlap", count, rig(count, "all")))
    for count in DEVICES[2:]:
        print(row("one mode, ring of neighbours", count, rig(count, ring(count))))
    for count in DEVICES[2:]:
        print(row("two modes, ring of neighbours", count, rig(count, ring(count), mixed=True)))


if __name__ == "__main__":
    main()
